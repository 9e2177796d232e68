//! The store of a driver: performs store calls within their time.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use atproto_oauth_store::{AsyncStore, Store};
use atproto_sansio::{Reply, StoreCall, StoreError, StoreErrorKind, StoreOperation};

/// The store given to [`DriverBuilder::store`](crate::DriverBuilder::store), if any.
#[derive(Clone, Default)]
pub(crate) struct Stores {
    store: Option<Arc<dyn Perform>>,
    protects_at_rest: bool,
}

type Performance = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A store of any type.
trait Perform: Send + Sync {
    fn perform(self: Arc<Self>, call: StoreCall) -> Performance;
}

struct Async<S>(S);

struct Blocking<S>(S);

impl Stores {
    pub(crate) fn of_async(store: impl AsyncStore) -> Self {
        let protects_at_rest = store.protects_at_rest();
        Self { store: Some(Arc::new(Async(store))), protects_at_rest }
    }

    pub(crate) fn of_blocking(store: impl Store + 'static) -> Self {
        let protects_at_rest = store.protects_at_rest();
        Self { store: Some(Arc::new(Blocking(store))), protects_at_rest }
    }

    /// Whether the store keeps its records encrypted, or in memory only; `None` without a store.
    pub(crate) fn protects_at_rest(&self) -> Option<bool> {
        self.store.as_ref().map(|_| self.protects_at_rest)
    }

    pub(crate) fn perform(&self, call: StoreCall) -> Performance {
        match &self.store {
            Some(store) => Arc::clone(store).perform(call),
            None => {
                let why = "this driver has no store: set one with `DriverBuilder::store`";
                let error = StoreError::new(StoreErrorKind::Unsupported, why);
                Box::pin(async move { call.fail(error) })
            }
        }
    }
}

impl<S: AsyncStore> Perform for Async<S> {
    fn perform(self: Arc<Self>, call: StoreCall) -> Performance {
        let StoreCall { operation, timeout } = call;
        Box::pin(async move {
            match operation {
                StoreOperation::Load { key, respond } => {
                    respond.with(within(timeout, self.0.load(&key)).await)
                }
                StoreOperation::Save { key, value, expect, expires_at, respond } => {
                    let save = self.0.save(&key, &value, expect, expires_at);
                    respond.with(within(timeout, save).await)
                }
                StoreOperation::Delete { key, expect, respond } => {
                    respond.with(within(timeout, self.0.delete(&key, expect)).await)
                }
                StoreOperation::List { prefix, after, respond } => {
                    respond.with(within(timeout, self.0.list(&prefix, after.as_deref())).await)
                }
            }
        })
    }
}

/// Each operation has a thread of the runtime's blocking pool. An operation that takes too long goes on
/// there, and its result is lost.
impl<S: Store + 'static> Perform for Blocking<S> {
    fn perform(self: Arc<Self>, call: StoreCall) -> Performance {
        let StoreCall { operation, timeout } = call;
        Box::pin(async move {
            match operation {
                StoreOperation::Load { key, respond } => {
                    respond.with(spawned(timeout, move || self.0.load(&key)).await)
                }
                StoreOperation::Save { key, value, expect, expires_at, respond } => {
                    let save = move || self.0.save(&key, &value, expect, expires_at);
                    respond.with(spawned(timeout, save).await)
                }
                StoreOperation::Delete { key, expect, respond } => {
                    respond.with(spawned(timeout, move || self.0.delete(&key, expect)).await)
                }
                StoreOperation::List { prefix, after, respond } => {
                    let list = move || self.0.list(&prefix, after.as_deref());
                    respond.with(spawned(timeout, list).await)
                }
            }
        })
    }
}

async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(time, work).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::maybe_applied("no answer within the time of the call")),
    }
}

async fn spawned<T: Send + 'static>(
    time: Duration,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let work = tokio::task::spawn_blocking(work);
    within(time, async {
        work.await.unwrap_or_else(|_| Err(StoreError::maybe_applied("the store panicked")))
    })
    .await
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").field("is_set", &self.store.is_some()).finish_non_exhaustive()
    }
}
