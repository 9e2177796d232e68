//! How far a server's clock is from ours, learned when it refuses a proof, or what the
//! client proves itself with, for its time.
//!
//! A user's clock may be minutes off; the server's `Date` header says by how much.

use std::time::{Duration, SystemTime};

use atproto_sansio::{Cx, Topic, UnixTime};
use bytes::Bytes;
use http::{HeaderMap, header};

/// What is remembered: the clock offset of each origin.
pub const CLOCK_OFFSETS: Topic = Topic { name: "clock-offset", capacity: 256 };

const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// A smaller difference is no reason for a refusal.
const NOTICEABLE: i64 = 20;

/// A larger one is not a clock to follow.
const CREDIBLE: i64 = 24 * 60 * 60;

/// Seconds that a server's clock is ahead of ours.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct ClockOffset(i64);

impl ClockOffset {
    pub(crate) fn recall(cx: &Cx<'_>, origin: &str) -> Self {
        let remembered = cx.recall(CLOCK_OFFSETS, origin);
        let seconds =
            remembered.and_then(|bytes| Some(i64::from_be_bytes(bytes[..].try_into().ok()?)));
        Self(seconds.unwrap_or_default().clamp(-CREDIBLE, CREDIBLE))
    }

    pub(crate) fn remember(self, cx: &Cx<'_>, origin: &str) {
        let bytes = Bytes::copy_from_slice(&self.0.to_be_bytes());
        cx.remember(CLOCK_OFFSETS, origin, bytes, LIFETIME);
    }

    /// The offset that the `Date` of a response shows, if it is credible.
    pub(crate) fn of_response(headers: &HeaderMap, now: UnixTime) -> Option<Self> {
        let date = headers.get(header::DATE)?.to_str().ok()?;
        let date = httpdate::parse_http_date(date).ok()?;
        let date = date.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let seconds = i64::try_from(date).ok()?.checked_sub_unsigned(now.as_secs())?;
        (seconds.abs() <= CREDIBLE).then_some(Self(seconds))
    }

    /// Whether a proof made with `self` could be refused by a server whose offset is `other`.
    pub(crate) fn is_far_from(self, other: Self) -> bool {
        (self.0 - other.0).abs() > NOTICEABLE
    }

    /// The server's time.
    pub(crate) fn apply(self, now: UnixTime) -> UnixTime {
        let distance = Duration::from_secs(self.0.unsigned_abs());
        if self.0 < 0 { now - distance } else { now + distance }
    }
}
