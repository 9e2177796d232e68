//! DPoP nonces of servers: read from the `DPoP-Nonce` header of every response, cached by origin.
//!
//! RFC 9449 section 8; atproto OAuth, «DPoP».

use std::time::Duration;

use atproto_sansio::{Cx, Moment, Topic, UnixTime};
use bytes::Bytes;
use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// Cache topic of nonces: the last nonce of each origin, with the time when it was learned.
pub const NONCES: Topic = Topic::new("dpop-nonce", 1024, 256 * 1024);

/// Time after which a cached nonce is dropped. A server may accept a nonce for 5 minutes at most;
/// the reference server accepts one for 3 minutes.
const LIFETIME: Duration = Duration::from_secs(3 * 60);

/// Age up to which a stored nonce is sent. There are servers that take an authorization code before
/// they look at the nonce: an old nonce then costs the login, and no nonce costs one more request.
const HINT_LIFETIME: Duration = Duration::from_secs(60);

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
    /// Time at which the nonce was learned, in seconds since the epoch. A nonce that was learned
    /// more than a minute ago is not sent; one without a time counts as old.
    #[serde(default)]
    pub learned_at: u64,
}

impl NonceHint {
    /// The nonce, if it is for `origin`, valid, and learned within the last minute.
    pub(crate) fn fresh(&self, origin: &str, now: UnixTime) -> Option<&str> {
        let learned = UnixTime::from_secs(self.learned_at);
        // A time in the future shows that a clock was set, so the age is not known.
        let is_fresh = learned <= now && now.since(learned) < HINT_LIFETIME;
        (self.origin == origin && is_fresh && is_valid(&self.nonce)).then_some(&self.nonce)
    }
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
    Some(cx.moment().since(learned))
}

/// Returns the cached nonce of `origin`, and when it was learned.
pub(crate) fn recall(cx: &Cx<'_>, origin: &str) -> Option<(Moment, Nonce)> {
    split(&cx.recall(NONCES, origin)?)
}

/// Caches a nonce after 16 bytes with the moment when it was learned: milliseconds of
/// [`Cx::elapsed`] and of [`Cx::now`], big endian.
pub(crate) fn remember(cx: &Cx<'_>, origin: &str, nonce: &str) {
    let Moment { now, elapsed } = cx.moment();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).to_be_bytes();
    let (elapsed, now) = (millis(elapsed), millis(now.since(UnixTime::default())));
    let value = [&elapsed, &now, nonce.as_bytes()].concat();
    cx.remember(NONCES, origin, Bytes::from(value), LIFETIME);
}

fn split(value: &Bytes) -> Option<(Moment, Nonce)> {
    let millis = |bytes: &[u8; 8]| Duration::from_millis(u64::from_be_bytes(*bytes));
    let (elapsed, rest) = value.split_first_chunk()?;
    let (now, nonce) = rest.split_first_chunk()?;
    std::str::from_utf8(nonce).ok().filter(|nonce| is_valid(nonce))?;
    let learned = Moment { elapsed: millis(elapsed), now: UnixTime::from_epoch(millis(now)) };
    Some((learned, Nonce(value.slice_ref(nonce))))
}

/// A valid nonce. Clones share its text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Nonce(Bytes);

impl Nonce {
    /// Copies a nonce that [`is_valid`].
    pub(crate) fn copy(nonce: &str) -> Self {
        Self(Bytes::copy_from_slice(nonce.as_bytes()))
    }

    pub(crate) fn as_str(&self) -> &str {
        // A valid nonce is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
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
    fn a_stored_nonce_is_sent_for_a_minute_only() {
        // Rule E-42
        let hint = NonceHint {
            origin: "https://a.example".to_owned(),
            nonce: "n".to_owned(),
            learned_at: 1000,
        };
        let fresh = |origin, now| hint.fresh(origin, UnixTime::from_secs(now));
        assert_eq!(fresh("https://a.example", 1059), Some("n"));
        assert_eq!(fresh("https://a.example", 1060), None);
        assert_eq!(fresh("https://a.example", 999), None);
        assert_eq!(fresh("https://b.example", 1000), None);
        let old =
            serde_json::from_str::<NonceHint>(r#"{"origin":"https://a.example","nonce":"n"}"#);
        assert_eq!(old.unwrap().fresh("https://a.example", UnixTime::from_secs(1000)), None);
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
