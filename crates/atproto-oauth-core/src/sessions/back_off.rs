//! Pauses between attempts, and the number of attempts that a failing store gets.

use std::time::Duration;

use atproto_sansio::{Cx, Ticket};

/// Pauses: 50 ms, doubled each time up to a second, with jitter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BackOff(u32);

/// Failures of the store in a row. A run bears three of them, with a pause after each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Failures {
    count: u32,
    back_off: BackOff,
}

impl BackOff {
    /// Begins the next pause. The jitter keeps processes from trying in step.
    pub(crate) fn pause(&mut self, cx: &mut Cx<'_>) -> Ticket<()> {
        let longest = FIRST.saturating_mul(1 << self.0.min(5)).min(LONGEST);
        self.0 = self.0.saturating_add(1);
        let part = random_byte(cx);
        cx.sleep(longest / 2 + longest.saturating_mul(u32::from(part)) / 512)
    }
}

impl Failures {
    /// Counts a failure, and begins the pause before the next attempt. Returns `None` if there is no
    /// further attempt: the failure will not pass, or there were too many.
    pub(crate) fn bear(&mut self, is_transient: bool, cx: &mut Cx<'_>) -> Option<Ticket<()>> {
        self.count += 1;
        (is_transient && self.count < MOST).then(|| self.back_off.pause(cx))
    }

    /// The store works again.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }
}

/// A random number below 256.
pub(crate) fn random_byte(cx: &mut Cx<'_>) -> u8 {
    let mut byte = [0];
    cx.entropy().fill(&mut byte);
    u8::from_be_bytes(byte)
}

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);
const MOST: u32 = 4;
