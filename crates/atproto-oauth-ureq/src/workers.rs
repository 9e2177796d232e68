//! Threads for functions that can't be interrupted. A thread that has ended its work is used again, because
//! a new thread for each operation of a store costs more than most of these operations.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use std::{fmt, io};

/// Clones share their threads.
#[derive(Clone, Default)]
pub(crate) struct Workers {
    pool: Arc<Pool>,
}

/// Why a function has no result.
#[derive(Debug)]
pub(crate) enum NoResult {
    NoThread(io::Error),
    TimedOut,
    Panicked,
}

#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    added: Condvar,
}

#[derive(Default)]
struct State {
    /// Work that has no thread yet. There is an idle thread for each.
    jobs: VecDeque<Job>,
    idle: usize,
}

/// Work, which notes that its thread is idle before it tells its result.
type Job = Box<dyn FnOnce(&Pool) + Send>;

impl Workers {
    /// Runs `work` in another thread, and waits for its result. If it takes longer than `time`, the thread
    /// is left alone, and the result is lost.
    pub(crate) fn within<T: Send + 'static>(
        &self,
        time: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoResult> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.begin(work, move |result| drop(sender.try_send(result)))
            .map_err(NoResult::NoThread)?;
        receiver.recv_timeout(time).map_err(|error| match error {
            RecvTimeoutError::Timeout => NoResult::TimedOut,
            RecvTimeoutError::Disconnected => NoResult::Panicked,
        })
    }

    /// Begins `work` in another thread, which then calls `tell` with the result. `tell` must neither wait
    /// nor panic.
    ///
    /// # Errors
    ///
    /// Fails if no thread can be started. `work` and `tell` are dropped then.
    pub(crate) fn begin<T>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        tell: impl FnOnce(T) + Send + 'static,
    ) -> io::Result<()> {
        self.start(Box::new(move |pool| {
            let result = work();
            // If the result were told first, the next work of its receiver could not use this thread.
            pool.lock().idle += 1;
            tell(result);
        }))
    }

    fn start(&self, job: Job) -> io::Result<()> {
        let mut state = self.pool.lock();
        if state.idle > state.jobs.len() {
            state.jobs.push_back(job);
            drop(state);
            self.pool.added.notify_one();
            return Ok(());
        }
        drop(state);
        let pool = Arc::clone(&self.pool);
        let work = move || {
            job(&pool);
            while let Some(job) = pool.next() {
                job(&pool);
            }
        };
        thread::Builder::new().name("atproto-oauth-ureq worker".to_owned()).spawn(work).map(drop)
    }
}

impl Pool {
    /// Waits for work in an idle thread. Returns none after some time without, so that the thread ends.
    fn next(&self) -> Option<Job> {
        let state = self.lock();
        let without = |state: &mut State| state.jobs.is_empty();
        let waited = self.added.wait_timeout_while(state, MAX_IDLE, without);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.jobs.pop_front()
    }

    /// Ignores poisoning: no code panics while the lock is held, so the state is consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").finish_non_exhaustive()
    }
}

/// Time after which a thread without work ends.
const MAX_IDLE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::thread::{self, ThreadId};
    use std::time::Instant;

    use super::*;

    const TIME: Duration = Duration::from_secs(30);

    fn thread_of(workers: &Workers) -> ThreadId {
        workers.within(TIME, || thread::current().id()).unwrap()
    }

    /// Waits until `count` threads have no work.
    fn idle(workers: &Workers, count: usize) {
        let end = Instant::now() + TIME;
        while workers.pool.lock().idle != count {
            assert!(Instant::now() < end, "{} threads are idle", workers.pool.lock().idle);
            thread::yield_now();
        }
    }

    #[test]
    fn a_thread_is_used_again() {
        let workers = Workers::default();
        let first = thread_of(&workers);
        assert_ne!(first, thread::current().id());
        for _ in 0..1000 {
            assert_eq!(thread_of(&workers), first);
        }
    }

    #[test]
    fn work_that_takes_too_long_holds_up_no_other_work() {
        let workers = Workers::default();
        let (end, ended) = mpsc::channel();
        let late = workers.within(Duration::from_millis(10), move || ended.recv());
        assert!(matches!(late, Err(NoResult::TimedOut)));
        assert_eq!(workers.within(TIME, || 1).unwrap(), 1);
        // The late thread goes on, and works again.
        end.send(()).unwrap();
        idle(&workers, 2);
    }

    #[test]
    fn a_panic_is_told_and_costs_its_thread_only() {
        let workers = Workers::default();
        let panicked = workers.within::<()>(TIME, || panic!("on purpose"));
        assert!(matches!(panicked, Err(NoResult::Panicked)));
        assert_eq!(workers.within(TIME, || 1).unwrap(), 1);
    }
}
