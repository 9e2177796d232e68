//! Silent hosts: if a host lets calls wait and does not answer, it is left alone for a while. So a dead
//! server does not cost every caller the whole timeout.
//!
//! ```text
//! heard ── two calls in vain ──▶ silent ── 10 to 60 s ──▶ one call finds out ── answered ──▶ heard
//!                                  ▲                               │
//!                                  └───────────── in vain ─────────┘
//! ```
//!
//! A call that fails at once, such as a refused connection, costs nobody time, and does not count. A call that waited
//! in a queue of the driver says nothing about the host.

use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;

use crate::env::{Env, Memo, Topic};
use crate::error::{Phase, TransportError};
use crate::time::Moment;

/// A call that the driver performs.
pub(crate) struct Performed {
    pub(crate) slot: u64,
    pub(crate) host: Authority,
    /// Time at which it was handed out, on the scale of `Env::elapsed`.
    pub(crate) at: Duration,
}

/// The latest calls to a host, all in vain.
#[derive(Clone, Copy, Debug, Default)]
struct Silence {
    /// Number of calls that count.
    calls: u32,
    /// Time of the latest count. A call that began earlier does not make a silent host more silent.
    counted: Duration,
    /// Time until which no call is handed out.
    until: Duration,
}

/// Refuses a call to a silent host. If its pause has passed, this call finds out whether the host
/// answers again, and others are refused meanwhile.
pub(crate) fn check(
    host: &Authority,
    timeout: Duration,
    env: &Env<'_>,
) -> Result<(), TransportError> {
    let Some(silence) = recall(host, env).filter(Silence::is_silent) else { return Ok(()) };
    let left = silence.until.saturating_sub(env.elapsed);
    if left.is_zero() {
        let until = env.elapsed.saturating_add(timeout.min(FIRST_PAUSE));
        remember(host, Silence { counted: env.elapsed, until, ..silence }, env);
        return Ok(());
    }
    let (calls, seconds) = (silence.calls, left.as_millis().div_ceil(1000));
    let detail = format!(
        "the host did not answer the last {calls} requests; the next one is possible in {seconds} s"
    );
    Err(TransportError { retry_after: Some(left), ..TransportError::new(Phase::NotSent, detail) })
}

/// Notes the end of a call: answered, or in vain.
pub(crate) fn note(call: &Performed, is_answered: bool, env: &Env<'_>) {
    if is_answered {
        return env.memory.forget(SILENT, call.host.as_str());
    }
    let before = recall(&call.host, env).unwrap_or_default();
    let counts = match before.is_silent() {
        true => call.at >= before.counted,
        false => env.elapsed.saturating_sub(call.at) >= LEAST_WAIT,
    };
    if counts {
        let calls = before.calls.saturating_add(1);
        let doubled = calls.saturating_sub(CALLS_IN_VAIN).min(6);
        let pause = FIRST_PAUSE.saturating_mul(1 << doubled).min(LONGEST_PAUSE);
        let until = env.elapsed.saturating_add(pause);
        remember(&call.host, Silence { calls, counted: env.elapsed, until }, env);
    }
}

/// Number of calls in vain after which a host counts as silent.
const CALLS_IN_VAIN: u32 = 2;

/// Least time that a call has waited in vain.
const LEAST_WAIT: Duration = Duration::from_secs(3);

const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Time after which a silence is forgotten.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Silences by host and port.
const SILENT: Topic = Topic::new("hosts that do not answer", 1000, 128 * 1024);

impl Silence {
    fn is_silent(&self) -> bool {
        self.calls >= CALLS_IN_VAIN
    }
}

fn recall(host: &Authority, env: &Env<'_>) -> Option<Silence> {
    let value = env.memory.get(SILENT, host.as_str(), moment(env))?;
    let (calls, times) = value.split_at_checked(4)?;
    let (counted, until) = times.split_at_checked(8)?;
    let time = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
    Some(Silence {
        calls: u32::from_be_bytes(calls.try_into().ok()?),
        counted: Duration::from_millis(time(counted)?),
        until: Duration::from_millis(time(until)?),
    })
}

fn remember(host: &Authority, silence: Silence, env: &Env<'_>) {
    let time = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).to_be_bytes();
    let Silence { calls, counted, until } = silence;
    let value = [&calls.to_be_bytes()[..], &time(counted), &time(until)].concat();
    let memo = Memo { value: Bytes::from(value), lifetime: LIFETIME, order: 0 };
    env.memory.put(SILENT, host.as_str(), memo, moment(env));
}

fn moment(env: &Env<'_>) -> Moment {
    Moment { now: env.now, elapsed: env.elapsed }
}
