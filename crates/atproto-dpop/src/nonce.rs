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

pub(crate) fn recall(cx: &Cx<'_>, origin: &str) -> Option<String> {
    let nonce = cx.recall(NONCES, origin)?;
    String::from_utf8(nonce.into()).ok().filter(|nonce| is_valid(nonce))
}

pub(crate) fn remember(cx: &Cx<'_>, origin: &str, nonce: &str) {
    cx.remember(NONCES, origin, Bytes::copy_from_slice(nonce.as_bytes()), LIFETIME);
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
        // REQUIREMENTS E-32
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
