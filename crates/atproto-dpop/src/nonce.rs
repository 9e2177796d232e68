//! DPoP nonces of servers: read from the `DPoP-Nonce` header of every response, cached by origin.
//!
//! RFC 9449 section 8; atproto OAuth, «DPoP».

use std::time::Duration;

use atproto_sansio::{Cx, Topic};
use bytes::Bytes;
use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// Cache topic of nonces: the last nonce of each origin, with the time when it was learned.
pub const NONCES: Topic = Topic { name: "dpop-nonce", capacity: 1024 };

/// Time after which a cached nonce is dropped. A server may accept a nonce for 5 minutes at most.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Longest accepted nonce in bytes. Longer values are ignored, so that a server can't fill the
/// cache.
const MAX_LEN: usize = 1024;

/// Last nonce of a server, stored for a later process whose cache is empty.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct NonceHint {
    /// Origin of the server: scheme, host and port, for example `https://bsky.social`.
    pub origin: String,
    /// Last `DPoP-Nonce` of this server.
    pub nonce: String,
}

/// Returns the nonce of a response, if the response has exactly one `DPoP-Nonce` header and its
/// value is valid.
pub(crate) fn of_response(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all("dpop-nonce").iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok().filter(|nonce| is_valid(nonce))
}

/// Whether `nonce` has 1 to 1024 characters, all of them `NQCHAR` (RFC 9449 section 8.1).
pub(crate) fn is_valid(nonce: &str) -> bool {
    let valid = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !nonce.is_empty() && nonce.len() <= MAX_LEN && nonce.bytes().all(valid)
}

/// Returns how long ago the cached nonce of `origin` was learned; `None` if no nonce is cached.
///
/// The server may reject an old nonce. Before a request that can't be sent twice, such as a request
/// with a streamed body, obtain a new nonce with another request.
pub fn nonce_age(cx: &Cx<'_>, origin: &str) -> Option<Duration> {
    let (learned, _) = split(&cx.recall(NONCES, origin)?)?;
    Some(cx.elapsed().saturating_sub(learned))
}

pub(crate) fn recall(cx: &Cx<'_>, origin: &str) -> Option<String> {
    split(&cx.recall(NONCES, origin)?).map(|(_, nonce)| nonce)
}

/// Caches a nonce after 8 bytes with the time when it was learned: milliseconds of `Cx::elapsed`,
/// big endian.
pub(crate) fn remember(cx: &Cx<'_>, origin: &str, nonce: &str) {
    let learned = u64::try_from(cx.elapsed().as_millis()).unwrap_or(u64::MAX);
    let value = [&learned.to_be_bytes(), nonce.as_bytes()].concat();
    cx.remember(NONCES, origin, Bytes::from(value), LIFETIME);
}

fn split(value: &[u8]) -> Option<(Duration, String)> {
    let (learned, nonce) = value.split_first_chunk()?;
    let nonce = std::str::from_utf8(nonce).ok().filter(|nonce| is_valid(nonce))?;
    Some((Duration::from_millis(u64::from_be_bytes(*learned)), nonce.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("DPoP-Nonce", value.parse().unwrap());
        }
        of_response(&headers).map(str::to_owned)
    }

    #[test]
    fn one_valid_nonce_is_learned_and_nothing_else() {
        // Rule E-32
        assert_eq!(learned(&["a~!#[]"]), Some("a~!#[]".to_owned()));
        assert_eq!(learned(&[]), None);
        assert_eq!(learned(&[""]), None);
        assert_eq!(learned(&["a", "b"]), None);
        assert_eq!(learned(&["a b"]), None);
        assert_eq!(learned(&["a\"b"]), None);
        assert_eq!(learned(&["a\\b"]), None);
        assert_eq!(learned(&[&"n".repeat(1024)]).map(|nonce| nonce.len()), Some(1024));
        assert_eq!(learned(&[&"n".repeat(1025)]), None);
    }
}
