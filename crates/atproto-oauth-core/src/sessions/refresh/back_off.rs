//! Pauses between attempts: 50 ms, doubled each time up to a second, with jitter.

use std::time::Duration;

use atproto_sansio::{Cx, Ticket};

/// The number of pauses so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BackOff(u32);

impl BackOff {
    /// Begins the next pause. The jitter keeps processes from trying in step.
    pub(crate) fn pause(&mut self, cx: &mut Cx<'_>) -> Ticket<()> {
        let longest = FIRST.saturating_mul(1 << self.0.min(5)).min(LONGEST);
        self.0 = self.0.saturating_add(1);
        let part = random_byte(cx);
        cx.sleep(longest / 2 + longest.saturating_mul(u32::from(part)) / 512)
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
