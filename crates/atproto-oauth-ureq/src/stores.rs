//! The store of a driver: performs store calls within their time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atproto_oauth_store::Store;
use atproto_sansio::{Reply, StoreCall, StoreError, StoreErrorKind, StoreOperation};

use crate::workers::{NoResult, Workers};

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

    pub(crate) fn perform(&self, call: StoreCall, workers: &Workers) -> Reply {
        let Some(store) = self.store.clone() else {
            let why = "this driver has no store: set one with `DriverBuilder::store`";
            return call.fail(StoreError::new(StoreErrorKind::Unsupported, why));
        };
        let StoreCall { operation, timeout } = call;
        match operation {
            StoreOperation::Load { key, respond } => {
                respond.with(within(workers, timeout, move || store.load(&key)))
            }
            StoreOperation::Save { key, value, expect, expires_at, respond } => {
                let save = move || store.save(&key, &value, expect, expires_at);
                respond.with(within(workers, timeout, save))
            }
            StoreOperation::Delete { key, expect, respond } => {
                respond.with(within(workers, timeout, move || store.delete(&key, expect)))
            }
            StoreOperation::List { prefix, after, respond } => {
                respond
                    .with(within(workers, timeout, move || store.list(&prefix, after.as_deref())))
            }
        }
    }
}

fn within<T: Send + 'static>(
    workers: &Workers,
    time: Duration,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    workers.within(time, work).unwrap_or_else(|error| {
        Err(match error {
            NoResult::NoThread(error) => {
                let why = format!("no thread for an operation of the store: {error}");
                StoreError::new(StoreErrorKind::Unavailable, why)
            }
            NoResult::TimedOut => {
                StoreError::maybe_applied("no answer within the time of the call")
            }
            NoResult::Panicked => StoreError::maybe_applied("the store panicked"),
        })
    })
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").field("is_set", &self.store.is_some()).finish_non_exhaustive()
    }
}
