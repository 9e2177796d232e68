//! Server nonces: learned from every response, remembered by origin.
//!
//! RFC 9449 section 8; atproto OAuth, «DPoP».

use std::time::Duration;

use atproto_sansio::{Cx, Topic};
use bytes::Bytes;
use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// What is remembered: the last nonce of each origin.
pub const NONCES: Topic = Topic { name: "dpop-nonce", capacity: 1024 };

/// The longest life that a server may give a nonce.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A longer one is no nonce but an attempt to fill the memory.
const MAX_LEN: usize = 1024;

/// The last nonce that a server gave, for a process that starts with an empty memory.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct NonceHint {
    /// The server: scheme, host and port.
    pub origin: String,
    /// Its nonce.
    pub nonce: String,
}

/// The nonce of a response, if it carries exactly one valid one.
pub(crate) fn of_response(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all("dpop-nonce").iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok().filter(|nonce| is_valid(nonce))
}

/// RFC 9449 section 8.1: at least one NQCHAR, and nothing else.
pub(crate) fn is_valid(nonce: &str) -> bool {
    let valid = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !nonce.is_empty() && nonce.len() <= MAX_LEN && nonce.bytes().all(valid)
}

/// How long ago the server at `origin` gave the nonce that is remembered, if one is.
///
/// A request that can't be repeated is better not sent with an old one.
pub fn nonce_age(cx: &Cx<'_>, origin: &str) -> Option<Duration> {
    let (learned, _) = split(&cx.recall(NONCES, origin)?)?;
    Some(cx.elapsed().saturating_sub(learned))
}

pub(crate) fn recall(cx: &Cx<'_>, origin: &str) -> Option<String> {
    split(&cx.recall(NONCES, origin)?).map(|(_, nonce)| nonce)
}

/// What is remembered is when the nonce was learned, in milliseconds, and the nonce.
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
