//! [`ClockOffset`]: the difference between a server's clock and the local clock, learned from the
//! `Date` header of every response that rejects a signed request (4xx).
//!
//! The clock of a user's machine may be wrong by minutes. After the first rejection, proofs and
//! assertions for this server carry the server's time. There are servers that refuse a wrong time
//! with an error code of their own, so the offset is learned whatever the code is.

use std::time::{Duration, SystemTime};

use atproto_sansio::{Cx, Topic, UnixTime};
use bytes::Bytes;
use http::{HeaderMap, header};

/// Cache topic of clock offsets: seconds by which the clock of an origin is ahead of the local
/// clock.
pub const CLOCK_OFFSETS: Topic = Topic::new("clock-offset", 256, 4096);

const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Seconds. If two offsets differ by no more than this, the clock is not the reason of a rejection:
/// the strictest servers allow 5 seconds into the future, and proofs are dated 10 seconds back.
const TOLERANCE: i64 = 5;

/// Seconds. If a `Date` header differs by more than this, its offset is ignored.
const MAX_OFFSET: i64 = 24 * 60 * 60;

/// Seconds by which a server's clock is ahead of the local clock; negative if it is behind.
///
/// If a server rejects a signed request (4xx) and its `Date` header is more than 5 seconds from the
/// local clock, the [`Dpop`](crate::Dpop) layer puts this value into the
/// [extensions](http::Response::extensions) of the response, so that the endpoint can name the
/// clock in its error.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClockOffset(i64);

impl ClockOffset {
    /// Seconds by which the server's clock is ahead of the local clock; negative if it is behind.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    pub(crate) fn recall(cx: &Cx<'_>, origin: &str) -> Self {
        let remembered = cx.recall(CLOCK_OFFSETS, origin);
        let seconds =
            remembered.and_then(|bytes| Some(i64::from_be_bytes(bytes[..].try_into().ok()?)));
        Self(seconds.unwrap_or_default().clamp(-MAX_OFFSET, MAX_OFFSET))
    }

    pub(crate) fn remember(self, cx: &Cx<'_>, origin: &str) {
        let bytes = Bytes::copy_from_slice(&self.0.to_be_bytes());
        cx.remember(CLOCK_OFFSETS, origin, bytes, LIFETIME);
    }

    /// Computes the offset from the `Date` header of a response to a request that was sent at `sent`
    /// and answered at `now`; `None` if the header is missing or malformed, or if the offset is more
    /// than a day.
    ///
    /// The header tells some time in between, so the offset is the distance from that interval.
    pub(crate) fn of_response(headers: &HeaderMap, sent: UnixTime, now: UnixTime) -> Option<Self> {
        let date = headers.get(header::DATE)?.to_str().ok()?;
        let date = httpdate::parse_http_date(date).ok()?;
        let date = date.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let nearest = date.clamp(sent.as_secs().min(now.as_secs()), now.as_secs());
        let seconds = i64::try_from(date).ok()?.checked_sub_unsigned(nearest)?;
        (seconds.abs() <= MAX_OFFSET).then_some(Self(seconds))
    }

    /// Whether the two offsets differ by more than 5 seconds, so that a server with the offset
    /// `self` may reject a proof that was signed with the offset `other`.
    pub(crate) fn is_far_from(self, other: Self) -> bool {
        (self.0 - other.0).abs() > TOLERANCE
    }

    /// Converts the local time `now` to the server's time.
    pub(crate) fn apply(self, now: UnixTime) -> UnixTime {
        let distance = Duration::from_secs(self.0.unsigned_abs());
        if self.0 < 0 { now - distance } else { now + distance }
    }
}

/// The clock offset that was learned for an origin; zero if none was.
pub fn clock_offset(cx: &Cx<'_>, origin: &str) -> ClockOffset {
    ClockOffset::recall(cx, origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_not_a_wrong_clock() {
        // Rule P-13
        let offset = |date: u64| {
            let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(date));
            let headers = HeaderMap::from_iter([(header::DATE, date.parse().unwrap())]);
            let (sent, now) = (UnixTime::from_secs(1000), UnixTime::from_secs(1020));
            ClockOffset::of_response(&headers, sent, now).unwrap().seconds()
        };
        for date in [1000, 1010, 1020] {
            assert_eq!(offset(date), 0, "{date}");
        }
        assert_eq!(offset(990), -10);
        assert_eq!(offset(1050), 30);
    }
}
