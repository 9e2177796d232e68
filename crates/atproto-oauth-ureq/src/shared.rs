//! What is run once for all who ask for it at the same time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use atproto_sansio::{Phase, TransportError};

/// The runs that have not ended, by key.
#[derive(Default)]
pub(crate) struct Shared {
    runs: Mutex<BTreeMap<String, Arc<Run>>>,
    ended: Condvar,
}

struct Run {
    thread: ThreadId,
    /// Whether it came to its end, rather than to a panic.
    is_whole: AtomicBool,
}

/// Removes a run when it ends, even if it panics.
struct Ending<'a> {
    shared: &'a Shared,
    key: String,
}

impl Shared {
    /// Runs `work`, or waits for the end of a run of the same key.
    pub(crate) fn run(&self, key: String, work: impl FnOnce()) -> Result<(), TransportError> {
        let mut runs = self.lock();
        if let Some(run) = runs.get(&key).map(Arc::clone) {
            return self.wait(runs, &key, &run);
        }
        let run =
            Arc::new(Run { thread: thread::current().id(), is_whole: AtomicBool::new(false) });
        runs.insert(key.clone(), Arc::clone(&run));
        drop(runs);
        let _ending = Ending { shared: self, key };
        work();
        run.is_whole.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn wait(
        &self,
        runs: MutexGuard<'_, BTreeMap<String, Arc<Run>>>,
        key: &str,
        run: &Arc<Run>,
    ) -> Result<(), TransportError> {
        if run.thread == thread::current().id() {
            // It would wait for itself.
            let reason = "what is shared asks for itself";
            return Err(TransportError::new(Phase::NotSent, reason));
        }
        // The same key may be in use again, by another run, before this thread wakes up.
        let is_running = |runs: &mut BTreeMap<String, Arc<Run>>| {
            runs.get(key).is_some_and(|present| Arc::ptr_eq(present, run))
        };
        let runs = self.ended.wait_while(runs, is_running).unwrap_or_else(PoisonError::into_inner);
        drop(runs);
        match run.is_whole.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(TransportError::new(Phase::MaybeSent, "what is shared panicked")),
        }
    }

    /// Nothing panics while it is locked, so a poisoned map is a sound one.
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
