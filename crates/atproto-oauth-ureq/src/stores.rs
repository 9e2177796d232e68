//! The store of a driver: performs store calls within their time.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use atproto_oauth_store::Store;
use atproto_sansio::{Reply, StoreCall, StoreError, StoreErrorKind, StoreOperation};

/// The store given to [`DriverBuilder::store`](crate::DriverBuilder::store), if any.
#[derive(Clone, Default)]
pub(crate) struct Stores {
    store: Option<Arc<dyn Store>>,
}

impl Stores {
    pub(crate) fn new(store: impl Store + 'static) -> Self {
        Self { store: Some(Arc::new(store)) }
    }

    /// Whether the store keeps its records encrypted, or in memory only; `None` without a store.
    pub(crate) fn protects_at_rest(&self) -> Option<bool> {
        self.store.as_ref().map(|store| store.protects_at_rest())
    }

    pub(crate) fn perform(&self, call: StoreCall) -> Reply {
        let Some(store) = self.store.clone() else {
            let why = "this driver has no store: set one with `DriverBuilder::store`";
            return call.fail(StoreError::new(StoreErrorKind::Unsupported, why));
        };
        let StoreCall { operation, timeout } = call;
        match operation {
            StoreOperation::Load { key, respond } => {
                respond.with(within(timeout, move || store.load(&key)))
            }
            StoreOperation::Save { key, value, expect, expires_at, respond } => {
                let save = move || store.save(&key, &value, expect, expires_at);
                respond.with(within(timeout, save))
            }
            StoreOperation::Delete { key, expect, respond } => {
                respond.with(within(timeout, move || store.delete(&key, expect)))
            }
            StoreOperation::List { prefix, after, respond } => {
                respond.with(within(timeout, move || store.list(&prefix, after.as_deref())))
            }
        }
    }
}

/// Performs `work` in a thread of its own, because a function can't be interrupted. If it takes longer
/// than `time`, the thread is left alone, and its result is lost.
fn within<T: Send + 'static>(
    time: Duration,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let work = move || drop(sender.try_send(work()));
    thread::Builder::new().name("store".to_owned()).spawn(work).map_err(|error| {
        let why = format!("no thread for an operation of the store: {error}");
        StoreError::new(StoreErrorKind::Unavailable, why)
    })?;
    receiver.recv_timeout(time).unwrap_or_else(|error| {
        Err(StoreError::maybe_applied(match error {
            RecvTimeoutError::Timeout => "no answer within the time of the call",
            RecvTimeoutError::Disconnected => "the store panicked",
        }))
    })
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").field("is_set", &self.store.is_some()).finish_non_exhaustive()
    }
}
