//! A sandbox behind a lock, whose time passes in real time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use atproto_sansio::{System, UnixTime};
use bytes::Bytes;
use http::Request;

use crate::accounts::handles::Dns;
use crate::faults::delivery::Delivery;
use crate::sandbox::Sandbox;

/// A shared sandbox whose clocks run at the speed of the system clock.
pub(super) struct Shared {
    sandbox: Mutex<Sandbox>,
    /// Time of the last `lock`, on the system clock.
    seen: Mutex<UnixTime>,
}

impl Shared {
    pub(super) fn new(mut sandbox: Sandbox) -> Self {
        let now = System::now();
        sandbox.set_now(now);
        Self { sandbox: Mutex::new(sandbox), seen: Mutex::new(now) }
    }

    /// Locks the sandbox and advances its time by the real time since the last call.
    ///
    /// A poisoned lock is accepted: if one test panicked while it held the guard, the next test can
    /// still use the sandbox.
    pub(super) fn lock(&self) -> MutexGuard<'_, Sandbox> {
        let mut sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = System::now();
        // Not `set_now`, because time does not go back: after a manual `advance`, the sandbox's
        // time would stand still until the system clock had caught up.
        sandbox.advance(now.since(*seen));
        *seen = now;
        drop(seen);
        sandbox
    }

    pub(super) fn exchange(&self, request: Request<Bytes>) -> Delivery {
        self.lock().exchange(request)
    }

    pub(super) fn look_up(&self, name: &str) -> Dns {
        self.lock().look_up(name)
    }

    /// Whether `name` is a handle of the network; upper and lower case are the same.
    pub(super) fn is_handle(&self, name: &str) -> bool {
        self.lock().handles.contains_key(&name.to_ascii_lowercase())
    }
}
