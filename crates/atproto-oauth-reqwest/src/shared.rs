//! Shared calls: concurrent calls with the same key wait for one run of their machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atproto_sansio::{Phase, SharedKey, SharedResult, TransportError, Waits};
use tokio::sync::watch;
use tokio::time::timeout;

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
    runs: BTreeMap<SharedKey, Ended>,
    waits: Waits,
}

/// Has the result when a run completes. If the run panics or its runtime is shut down, the channel
/// closes instead.
type Ended = watch::Receiver<Option<SharedResult>>;

/// Guard that removes a run from [`State::runs`] when it ends, even if it panics or its runtime is
/// shut down.
struct Ending {
    shared: Shared,
    key: SharedKey,
}

/// Guard that removes the note that the run `waiting` waits for the run `awaited`.
struct Waiting {
    shared: Shared,
    waiting: SharedKey,
    awaited: SharedKey,
}

impl Shared {
    /// Spawns `work` as the run of `key`, unless one is in progress, and waits for its result, for
    /// at most `time`.
    ///
    /// The run is a task of its own, so it continues even if all of its callers are cancelled.
    /// `asker` is the shared run that makes this call, if any.
    ///
    /// # Errors
    ///
    /// `NotSent` if the run would wait for itself, or if the driver is closed and there is no
    /// `asker`. `TimedOut` if the run takes longer than `time`. `MaybeSent` if it panicked or its
    /// runtime was shut down.
    pub(crate) async fn ask(
        &self,
        key: SharedKey,
        asker: Option<SharedKey>,
        time: Duration,
        work: impl Future<Output = SharedResult> + Send + 'static,
    ) -> Result<SharedResult, TransportError> {
        let (mut ended, _waiting) = self.join_or_begin(key, asker, work)?;
        let result = timeout(time, ended.wait_for(Option::is_some))
            .await
            .map_err(|_| TransportError::new(Phase::TimedOut, "the shared run takes longer"))?;
        let result = result.ok().and_then(|result| result.clone());
        result.ok_or_else(|| {
            TransportError::new(Phase::MaybeSent, "the shared run panicked or was stopped")
        })
    }

    /// Spawns `work` as the run of `key`, unless one is in progress, and does not wait for it.
    ///
    /// # Errors
    ///
    /// `NotSent` if the driver is closed and there is no `asker`, or if the run would wait for itself.
    pub(crate) fn detach(
        &self,
        key: SharedKey,
        asker: Option<SharedKey>,
        work: impl Future<Output = SharedResult> + Send + 'static,
    ) -> Result<SharedResult, TransportError> {
        self.join_or_begin(key, asker, work).map(|_| SharedResult::begun())
    }

    /// Rejects new runs from now on, and waits until the runs in progress have ended.
    pub(crate) async fn close(&self) {
        self.lock().is_closed = true;
        while let Some(mut ended) = self.any() {
            let _ = ended.wait_for(Option::is_some).await;
        }
    }

    fn join_or_begin(
        &self,
        key: SharedKey,
        asker: Option<SharedKey>,
        work: impl Future<Output = SharedResult> + Send + 'static,
    ) -> Result<(Ended, Option<Waiting>), TransportError> {
        let mut state = self.lock();
        let is_outermost = asker.is_none();
        let waiting = asker
            .map(|waiting| {
                state.waits.begin(&waiting, &key)?;
                Ok(Waiting { shared: self.clone(), waiting, awaited: key.clone() })
            })
            .transpose()?;
        if let Some(ended) = state.runs.get(&key) {
            return Ok((ended.clone(), waiting));
        }
        // A run in progress may need further runs in order to end.
        if state.is_closed && is_outermost {
            return Err(TransportError::new(Phase::NotSent, "the driver is shutting down"));
        }
        let (sender, ended) = watch::channel(None);
        state.runs.insert(key.clone(), ended.clone());
        drop(state);
        let ending = Ending { shared: self.clone(), key };
        tokio::spawn(async move {
            // If `work` panics, `ending` is dropped before `sender`: the run is removed from the
            // map before its callers wake up.
            let sender = sender;
            let ending = ending;
            let result = work.await;
            drop(ending);
            sender.send_replace(Some(result));
        });
        Ok((ended, waiting))
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

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.lock().waits.end(&self.waiting, &self.awaited);
    }
}
