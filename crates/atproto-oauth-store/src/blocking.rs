//! [`Blocking`]: an async store for blocking programs.

use std::fmt;
use std::sync::{Arc, mpsc};

use atproto_sansio::{
    Deleted, Expect, Listing, Record, Saved, SecretBytes, StoreError, StoreErrorKind, UnixTime,
};
use tokio::runtime::{Builder, Runtime};

use crate::store::{AsyncStore, Store};

/// A blocking [`Store`] over an async store, with a tokio runtime of its own (one thread).
///
/// A call may come from any thread. In a thread of an async runtime, it blocks that thread.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # fn example() -> Result<(), atproto_oauth_store::StoreError> {
/// use atproto_oauth_store::{Blocking, PostgresStore};
///
/// let store = Blocking::open(PostgresStore::connect("postgres://app@db.example/app"))?;
/// store.run(async |store| store.create_schema().await)?;
/// # Ok(())
/// # }
/// ```
pub struct Blocking<S> {
    store: Arc<S>,
    /// `None` only while this is dropped.
    runtime: Option<Runtime>,
}

impl<S: AsyncStore> Blocking<S> {
    /// Waits for `open` on a new runtime. A pool of connections must be made within that future, because
    /// its connections belong to the runtime that they were opened on.
    ///
    /// # Errors
    ///
    /// Fails like `open`, and if the system gives no thread.
    pub fn open(
        open: impl Future<Output = Result<S, StoreError>> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("oauth-store")
            .enable_all()
            .build()
            .map_err(|error| unavailable(format!("no thread for the store: {}", error.kind())))?;
        // From here on, a failure drops the runtime in the right way.
        let mut idle = Blocking { store: Arc::new(()), runtime: Some(runtime) };
        let store = Arc::new(idle.wait(open)?);
        Ok(Self { store, runtime: idle.runtime.take() })
    }

    /// Runs a function of the async store, for example `sweep`, and waits for its result.
    ///
    /// # Errors
    ///
    /// Fails like the function.
    pub fn run<T, F>(&self, function: impl FnOnce(Arc<S>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.wait(function(Arc::clone(&self.store)))
    }

    /// The async store.
    pub fn inner(&self) -> &S {
        &self.store
    }
}

impl<S> Blocking<S> {
    /// Waits for a future on the runtime. The future runs as a task, because a thread of another
    /// runtime may wait for a task, and not for a runtime.
    fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(runtime) = &self.runtime else {
            return Err(unavailable("the store is closed"));
        };
        let (sender, receiver) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            // The receiver waits below, so that it takes the result.
            let _ = sender.send(future.await);
        });
        receiver.recv().unwrap_or_else(|_| {
            Err(StoreError::maybe_applied("the task of the store has panicked"))
        })
    }
}

impl<S: AsyncStore> Store for Blocking<S> {
    fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let key = key.to_owned();
        self.run(async move |store| store.load(&key).await)
    }

    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        let (key, value) = (key.to_owned(), value.clone());
        self.run(async move |store| store.save(&key, &value, expect, expires_at).await)
    }

    fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        let key = key.to_owned();
        self.run(async move |store| store.delete(&key, expect).await)
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.run(async move |store| store.list(&prefix, after.as_deref()).await)
    }

    fn protects_at_rest(&self) -> bool {
        self.store.protects_at_rest()
    }
}

/// A runtime that is dropped in a thread of another runtime would panic, so it ends in the background.
impl<S> Drop for Blocking<S> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Blocking<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Blocking").field(&self.store).finish()
    }
}

fn unavailable(detail: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, detail)
}
