//! Shared calls: concurrent calls with the same key wait for one run of their machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use atproto_sansio::{Phase, SharedKey, SharedResult, TransportError, Waits};

/// The runs in progress.
#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    runs: BTreeMap<SharedKey, Arc<Run>>,
    /// Threads for runs in the background, from the moment before they are started.
    threads: usize,
    waits: Waits,
}

/// One run; its result is set when the machine ends, and never if it panics.
#[derive(Default)]
struct Run {
    result: OnceLock<SharedResult>,
}

/// Guard that removes a run when it ends, even if it panics.
struct Ending<'a> {
    shared: &'a Shared,
    key: &'a SharedKey,
}

/// Guard that removes the note that the run `waiting` waits for the run `awaited`.
struct Waiting<'a> {
    shared: &'a Shared,
    waiting: &'a SharedKey,
    awaited: &'a SharedKey,
}

impl Shared {
    /// Runs `work` in this thread. If a run with the same key is in progress, waits for it instead,
    /// for at most `timeout`. `asker` is the shared run that makes this call, if any.
    ///
    /// # Errors
    ///
    /// `NotSent` if the run would wait for itself, `TimedOut` if the run in progress takes longer
    /// than `timeout`, `MaybeSent` if it panicked.
    pub(crate) fn run(
        &self,
        key: &SharedKey,
        asker: Option<&SharedKey>,
        timeout: Duration,
        work: impl FnOnce() -> SharedResult,
    ) -> Result<SharedResult, TransportError> {
        let mut state = self.lock();
        let _waiting = asker
            .map(|waiting| {
                state.waits.begin(waiting, key)?;
                Ok(Waiting { shared: self, waiting, awaited: key })
            })
            .transpose()?;
        if let Some(run) = state.runs.get(key).map(Arc::clone) {
            return self.wait(state, key, &run, timeout);
        }
        let run: Arc<Run> = Arc::default();
        state.runs.insert(key.clone(), Arc::clone(&run));
        drop(state);
        let _ending = Ending { shared: self, key };
        let result = work();
        Ok(run.result.get_or_init(|| result).clone())
    }

    /// Waits until no run is in progress, for at most `timeout`. Returns whether none is.
    pub(crate) fn wait_for_all(&self, timeout: Duration) -> bool {
        let is_busy = |state: &mut State| !state.runs.is_empty() || state.threads > 0;
        let waited = self.ended.wait_timeout_while(self.lock(), timeout.min(LONGEST), is_busy);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !is_busy(&mut state)
    }

    /// Counts a thread that is about to start, so that [`wait_for_all`](Self::wait_for_all) waits for
    /// it. Each is followed by one [`thread_ended`](Self::thread_ended).
    pub(crate) fn thread_begins(&self) {
        self.lock().threads += 1;
    }

    pub(crate) fn thread_ended(&self) {
        self.lock().threads -= 1;
        self.ended.notify_all();
    }

    fn wait(
        &self,
        state: MutexGuard<'_, State>,
        key: &SharedKey,
        run: &Arc<Run>,
        timeout: Duration,
    ) -> Result<SharedResult, TransportError> {
        // Before this thread wakes up, another run may have started with the same key.
        let is_running = |state: &mut State| {
            state.runs.get(key).is_some_and(|present| Arc::ptr_eq(present, run))
        };
        let (state, time) = self
            .ended
            .wait_timeout_while(state, timeout.min(LONGEST), is_running)
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        run.result.get().cloned().ok_or_else(|| match time.timed_out() {
            true => TransportError::new(Phase::TimedOut, "the shared run takes longer"),
            false => {
                TransportError::new(Phase::MaybeSent, "the machine of the shared run panicked")
            }
        })
    }

    /// Ignores poisoning: no code panics while the lock is held, so the state is consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.shared.lock().runs.remove(self.key);
        self.shared.ended.notify_all();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.lock().waits.end(self.waiting, self.awaited);
    }
}

/// One year, the longest wait, because a `Condvar` adds it to the present time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
