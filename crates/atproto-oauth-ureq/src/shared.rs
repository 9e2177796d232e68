//! Shared calls: concurrent calls with the same key wait for one run of their machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use atproto_sansio::{Phase, TransportError};

/// The runs in progress, by key.
#[derive(Default)]
pub(crate) struct Shared {
    runs: Mutex<BTreeMap<String, Arc<Run>>>,
    ended: Condvar,
}

struct Run {
    /// The thread that performs the run.
    thread: ThreadId,
    /// Whether the run completed; false while it is in progress, and after a panic.
    is_complete: AtomicBool,
}

/// Guard that removes a run from [`Shared::runs`] when it ends, even if it panics.
struct Ending<'a> {
    shared: &'a Shared,
    key: String,
}

impl Shared {
    /// Runs `work` in this thread. If a run with the same key is in progress, waits for it instead.
    ///
    /// # Errors
    ///
    /// `NotSent` if the run in progress belongs to this thread, `MaybeSent` if it panicked.
    pub(crate) fn run(&self, key: String, work: impl FnOnce()) -> Result<(), TransportError> {
        let mut runs = self.lock();
        if let Some(run) = runs.get(&key).map(Arc::clone) {
            return self.wait(runs, &key, &run);
        }
        let run =
            Arc::new(Run { thread: thread::current().id(), is_complete: AtomicBool::new(false) });
        runs.insert(key.clone(), Arc::clone(&run));
        drop(runs);
        let _ending = Ending { shared: self, key };
        work();
        run.is_complete.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn wait(
        &self,
        runs: MutexGuard<'_, BTreeMap<String, Arc<Run>>>,
        key: &str,
        run: &Arc<Run>,
    ) -> Result<(), TransportError> {
        if run.thread == thread::current().id() {
            // The thread would wait for itself.
            let reason = "a shared call must not wait for a run with its own key";
            return Err(TransportError::new(Phase::NotSent, reason));
        }
        // Before this thread wakes up, another run may have started with the same key.
        let is_running = |runs: &mut BTreeMap<String, Arc<Run>>| {
            runs.get(key).is_some_and(|present| Arc::ptr_eq(present, run))
        };
        let runs = self.ended.wait_while(runs, is_running).unwrap_or_else(PoisonError::into_inner);
        drop(runs);
        match run.is_complete.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(TransportError::new(
                Phase::MaybeSent,
                "the machine of the shared call panicked",
            )),
        }
    }

    /// Ignores poisoning: no code panics while the lock is held, so the map is consistent.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Run>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.shared.lock().remove(&self.key);
        self.shared.ended.notify_all();
    }
}
