//! [`UnixTime`] and [`Moment`]: times as values that the caller supplies.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Wall-clock time: the duration since 1970-01-01T00:00:00Z, without leap seconds.
///
/// The caller supplies the present time in [`Env::now`](crate::Env::now). This type reads no clock.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixTime(Duration);

impl UnixTime {
    /// The time `seconds` after the epoch.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The time `duration` after the epoch.
    pub const fn from_epoch(duration: Duration) -> Self {
        Self(duration)
    }

    /// Whole seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// Duration from `earlier` to `self`; zero if `earlier` is the later time.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// One moment on both clocks of an [`Env`](crate::Env).
///
/// The monotonic clock of a computer stands still while the computer sleeps, and its wall clock may
/// be set forward or back. An age is the larger of the two.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Moment {
    /// Wall-clock time, as in [`Env::now`](crate::Env::now).
    pub now: UnixTime,
    /// Monotonic time, as in [`Env::elapsed`](crate::Env::elapsed).
    pub elapsed: Duration,
}

impl Moment {
    /// Duration from `earlier` to `self` on the clock that has moved further.
    pub fn since(self, earlier: Self) -> Duration {
        self.elapsed.saturating_sub(earlier.elapsed).max(self.now.since(earlier.now))
    }
}

impl Add<Duration> for UnixTime {
    type Output = Self;

    /// Adds `duration`; saturates at [`Duration::MAX`] after the epoch.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub<Duration> for UnixTime {
    type Output = Self;

    /// Subtracts `duration`; saturates at the epoch.
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_secs())
    }
}
