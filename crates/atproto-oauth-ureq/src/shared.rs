//! Shared calls: concurrent calls with the same key wait for one run of their machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use atproto_sansio::{Phase, SharedKey, SharedResult, TransportError, Waits};

/// The runs in progress.
#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Wakes those that wait for all runs.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    runs: BTreeMap<SharedKey, Running>,
    /// Threads for runs in the background, from the moment before they are started.
    threads: usize,
    waits: Waits,
}

/// A run in progress, and the threads that wait for it. Each is woken by itself: thousands of threads
/// behind one condition variable would stand in line for its lock.
#[derive(Default)]
struct Running {
    run: Arc<Run>,
    waiting: Vec<Thread>,
}

/// One run; its end is set once, with the result of the machine unless that panicked.
#[derive(Default)]
struct Run {
    end: OnceLock<Option<SharedResult>>,
}

/// Guard that removes a run when it ends, even if it panics.
struct Ending<'a> {
    shared: &'a Shared,
    key: &'a SharedKey,
    result: Option<SharedResult>,
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
        if let Some(running) = state.runs.get_mut(key) {
            running.waiting.push(thread::current());
            let run = Arc::clone(&running.run);
            drop(state);
            return run.wait(timeout);
        }
        state.runs.insert(key.clone(), Running::default());
        drop(state);
        let mut ending = Ending { shared: self, key, result: None };
        let result = work();
        ending.result = Some(result.clone());
        Ok(result)
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

    /// Ignores poisoning: no code panics while the lock is held, so the state is consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// Waits for the end, for at most `timeout`. The thread has to be among those that are woken.
    fn wait(&self, timeout: Duration) -> Result<SharedResult, TransportError> {
        let begun = Instant::now();
        loop {
            if let Some(end) = self.end.get() {
                return end.clone().ok_or_else(|| {
                    let panicked = "the machine of the shared run panicked";
                    TransportError::new(Phase::MaybeSent, panicked)
                });
            }
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(TransportError::new(Phase::TimedOut, "the shared run takes longer"));
            }
            thread::park_timeout(left);
        }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let ended = self.shared.lock().runs.remove(self.key);
        self.shared.ended.notify_all();
        if let Some(Running { run, waiting }) = ended {
            // The end is told after the run is removed: whoever asks again begins a new run.
            let _ = run.end.set(self.result.take());
            for thread in waiting {
                thread.unpark();
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.lock().waits.end(self.waiting, self.awaited);
    }
}

/// One year, the longest wait, because a `Condvar` adds it to the present time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
