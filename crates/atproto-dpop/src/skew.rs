//! Difference between a server's clock and the local clock, learned from the `Date` header if the
//! server rejects a DPoP proof or a client assertion.
//!
//! The clock of a user's machine may be wrong by minutes. After the first rejection, proofs and
//! assertions for this server carry the server's time.

use std::time::{Duration, SystemTime};

use atproto_sansio::{Cx, Topic, UnixTime};
use bytes::Bytes;
use http::{HeaderMap, header};

/// Cache topic of clock offsets: seconds by which the clock of an origin is ahead of the local
/// clock.
pub const CLOCK_OFFSETS: Topic = Topic { name: "clock-offset", capacity: 256 };

const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Seconds. If two offsets differ by no more than this, the clock is not the reason of a rejection.
const TOLERANCE: i64 = 20;

/// Seconds. If a `Date` header differs by more than this, its offset is ignored.
const MAX_OFFSET: i64 = 24 * 60 * 60;

/// Seconds by which a server's clock is ahead of the local clock; negative if it is behind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct ClockOffset(i64);

impl ClockOffset {
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

    /// Computes the offset from the `Date` header of a response; `None` if the header is missing or
    /// malformed, or if the offset is more than a day.
    pub(crate) fn of_response(headers: &HeaderMap, now: UnixTime) -> Option<Self> {
        let date = headers.get(header::DATE)?.to_str().ok()?;
        let date = httpdate::parse_http_date(date).ok()?;
        let date = date.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let seconds = i64::try_from(date).ok()?.checked_sub_unsigned(now.as_secs())?;
        (seconds.abs() <= MAX_OFFSET).then_some(Self(seconds))
    }

    /// Whether the two offsets differ by more than 20 seconds, so that a server with the offset
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
