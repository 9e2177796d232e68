//! Limits the number of requests in flight to one server.
//!
//! A server resets connections that do not fit into its accept queue. So if a thousand threads make calls at
//! once, most of them wait here, where nothing has been sent. They pass in the order in which they came.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

use http::Uri;

/// One gate for each server with requests in flight, and for servers of earlier requests.
pub(crate) struct Gates {
    /// Most requests in flight to one server.
    width: usize,
    /// Gates by authority (`host:port`).
    gates: Mutex<BTreeMap<String, Arc<Gate>>>,
}

#[derive(Default)]
struct Gate(Mutex<State>);

#[derive(Default)]
struct State {
    in_flight: usize,
    /// Threads that wait, in the order in which they came. It is empty unless the gate is full.
    queue: VecDeque<Arc<Waiter>>,
}

struct Waiter {
    thread: Thread,
    may_pass: AtomicBool,
}

/// A request that counts as in flight until this is dropped.
pub(crate) struct Passed(Arc<Gate>);

impl Gates {
    pub(crate) fn new(width: usize) -> Self {
        Self { width, gates: Mutex::default() }
    }

    /// Waits until one more request to the server of `uri` is allowed. Returns none if that is not so by `end`.
    pub(crate) fn pass(&self, uri: &Uri, end: Instant) -> Option<Passed> {
        let gate = self.of(uri);
        let waiter = {
            let mut state = gate.lock();
            if state.in_flight < self.width {
                state.in_flight += 1;
                drop(state);
                return Some(Passed(gate));
            }
            let waiter = Arc::new(Waiter { thread: thread::current(), may_pass: false.into() });
            state.queue.push_back(Arc::clone(&waiter));
            waiter
        };
        // `park_timeout` may return early, for example because of another `unpark` of this thread.
        while !waiter.may_pass.load(Ordering::Acquire) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return gate.leave(&waiter).then(|| Passed(gate));
            }
            thread::park_timeout(left);
        }
        Some(Passed(gate))
    }

    fn of(&self, uri: &Uri) -> Arc<Gate> {
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(authority) {
            return Arc::clone(gate);
        }
        // Removes the gates of servers that have no request in flight or in the queue.
        gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        let gate = Arc::new(Gate::default());
        gates.insert(authority.to_owned(), Arc::clone(&gate));
        gate
    }
}

impl Gate {
    /// Removes a thread from the queue, unless its turn has come just now. Returns whether it has.
    fn leave(&self, waiter: &Arc<Waiter>) -> bool {
        let mut state = self.lock();
        state.queue.retain(|queued| !Arc::ptr_eq(queued, waiter));
        waiter.may_pass.load(Ordering::Acquire)
    }

    /// Ignores poisoning: no code panics while the lock is held, so the state is consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        // The next thread takes this place, so that no thread that comes later overtakes it.
        match state.queue.pop_front() {
            Some(next) => {
                next.may_pass.store(true, Ordering::Release);
                next.thread.unpark();
            }
            None => state.in_flight -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn gates_without_requests_are_removed() {
        let gates = Gates::new(1);
        let later = Instant::now() + Duration::from_secs(30);
        let pass = |server| gates.pass(&Uri::from_static(server), later).unwrap();
        let here = pass("https://a.b/x");
        drop(pass("https://c.d/"));
        drop(pass("https://c.d/"));
        // A new gate removes those that are not in use.
        drop(pass("https://e.f/"));
        assert_eq!(gates.gates.lock().unwrap().len(), 2);
        drop(here);
    }

    #[test]
    fn a_place_is_not_lost_if_its_turn_comes_at_the_end_of_the_wait() {
        let (gates, uri) = (Gates::new(2), Uri::from_static("https://a.b/"));
        let passes = || {
            let begun = Instant::now();
            let passed = gates.pass(&uri, begun + Duration::from_micros(50));
            thread::sleep(Duration::from_micros(50));
            passed.is_some()
        };
        let passed: usize = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| (0..500).filter(|_| passes()).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_ne!(passed, 0);
        let gate = gates.of(&uri);
        let state = gate.lock();
        assert_eq!((state.in_flight, state.queue.len()), (0, 0));
    }
}
