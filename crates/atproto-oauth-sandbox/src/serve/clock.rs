//! The network behind a lock, in real time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use atproto_sansio::{System, UnixTime};
use bytes::Bytes;
use http::Request;

use crate::accounts::handles::Dns;
use crate::faults::delivery::Delivery;
use crate::sandbox::Sandbox;

/// A sandbox whose clocks run as fast as the system's.
pub(super) struct Shared {
    sandbox: Mutex<Sandbox>,
    /// When it was looked at last, by the system's clock.
    seen: Mutex<UnixTime>,
}

impl Shared {
    pub(super) fn new(mut sandbox: Sandbox) -> Self {
        let now = System::now();
        sandbox.set_now(now);
        Self { sandbox: Mutex::new(sandbox), seen: Mutex::new(now) }
    }

    /// The network, at the time that it is. A test that panicked with it in its hands is over; the
    /// next one may go on.
    pub(super) fn lock(&self) -> MutexGuard<'_, Sandbox> {
        let mut sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = System::now();
        // Not `set_now`: a sandbox that was advanced would stand still until the system caught up.
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

    /// Whether some handle is this name.
    pub(super) fn is_handle(&self, name: &str) -> bool {
        self.lock().handles.contains_key(&name.to_ascii_lowercase())
    }
}
