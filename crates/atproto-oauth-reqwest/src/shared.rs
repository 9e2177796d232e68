//! Shared calls: concurrent calls with the same key wait for one run of their machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atproto_sansio::{Phase, TransportError};
use tokio::sync::watch;

/// The shared runs of a driver. Clones share the state.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Whether [`Shared::close`] was called.
    is_closed: bool,
    /// The runs in progress, by key.
    runs: BTreeMap<String, Ended>,
}

/// Becomes true when a run completes. If the run panics or its runtime is shut down, the channel
/// closes instead.
type Ended = watch::Receiver<bool>;

/// Guard that removes a run from [`State::runs`] when it ends, even if it panics or its runtime is
/// shut down.
struct Ending {
    shared: Shared,
    key: String,
}

impl Shared {
    /// Spawns `work` as the run of `key`, unless one is in progress, and waits for its end.
    ///
    /// The run is a task of its own, so it continues even if all of its callers are cancelled.
    /// `within` has the keys of the shared runs that the caller is nested in.
    ///
    /// # Errors
    ///
    /// `NotSent` if `within` contains `key`, or if the driver is closed and `within` is empty.
    /// `MaybeSent` if the run panicked or its runtime was shut down.
    pub(crate) async fn ask(
        &self,
        key: String,
        within: &[String],
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), TransportError> {
        let mut ended = self.join_or_begin(key, within, work)?;
        match ended.wait_for(|is_complete| *is_complete).await.is_ok() {
            true => Ok(()),
            false => {
                Err(TransportError::new(Phase::MaybeSent, "the shared run panicked or was stopped"))
            }
        }
    }

    /// Rejects new runs from now on, and waits until the runs in progress have ended.
    pub(crate) async fn close(&self) {
        self.lock().is_closed = true;
        while let Some(mut ended) = self.any() {
            let _ = ended.wait_for(|is_complete| *is_complete).await;
        }
    }

    fn join_or_begin(
        &self,
        key: String,
        within: &[String],
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Ended, TransportError> {
        if within.contains(&key) {
            // The run would wait for itself.
            let reason = "a shared call must not wait for a run with its own key";
            return Err(TransportError::new(Phase::NotSent, reason));
        }
        let mut state = self.lock();
        if let Some(ended) = state.runs.get(&key) {
            return Ok(ended.clone());
        }
        // A run in progress may need further runs in order to end.
        if state.is_closed && within.is_empty() {
            return Err(TransportError::new(Phase::NotSent, "the driver is shutting down"));
        }
        let (sender, ended) = watch::channel(false);
        state.runs.insert(key.clone(), ended.clone());
        drop(state);
        let ending = Ending { shared: self.clone(), key };
        tokio::spawn(async move {
            // If `work` panics, `ending` is dropped before `sender`: the run is removed from the
            // map before its callers wake up.
            let sender = sender;
            let ending = ending;
            work.await;
            drop(ending);
            sender.send_replace(true);
        });
        Ok(ended)
    }

    /// Any run in progress.
    fn any(&self) -> Option<Ended> {
        self.lock().runs.values().next().cloned()
    }

    /// Ignores poisoning: no code panics while the lock is held, so the state is consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.lock().runs.remove(&self.key);
    }
}
