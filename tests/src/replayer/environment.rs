//! Deterministic environment of a machine: entropy from a counter, clocks that only `wait`
//! advances, and a memory that can be cloned.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use atproto_dpop::P256Keys;
use atproto_sansio::{Entropy, Env, Memo, Memory, Moment, Topic, UnixTime};
use bytes::Bytes;

/// Clocks, entropy and memory that a machine is polled with; a clone is independent.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Time of the wall clock; it starts at [`START`].
    pub now: UnixTime,
    /// Time of the monotonic clock; it starts at 1000 s.
    pub elapsed: Duration,
    counter: Counter,
    memory: Remembered,
}

#[derive(Clone, Debug, Default)]
struct Counter(u64);

#[derive(Debug, Default)]
struct Remembered(Mutex<BTreeMap<String, Value>>);

#[derive(Clone, Debug)]
struct Value {
    memo: Memo,
    kept: Moment,
}

/// Start of the wall clock: 2026-01-01T00:00:00Z.
pub const START: UnixTime = UnixTime::from_secs(1_767_225_600);

impl Environment {
    /// Returns an environment at [`START`] with an empty memory.
    pub fn new() -> Self {
        Self {
            now: START,
            elapsed: Duration::from_secs(1000),
            counter: Counter::default(),
            memory: Remembered::default(),
        }
    }

    /// Borrows the environment in the form that a machine is polled with.
    pub fn env(&mut self) -> Env<'_> {
        Env {
            now: self.now,
            elapsed: self.elapsed,
            entropy: &mut self.counter,
            memory: &self.memory,
            keys: &P256Keys,
        }
    }

    /// Advances both clocks.
    pub fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.elapsed += time;
    }

    /// Empties the memory.
    pub fn forget(&mut self) {
        self.memory = Remembered::default();
    }
}

impl Entropy for Counter {
    /// Fills `bytes` with a number that each call increments, so that no two random values are
    /// equal.
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.to_be_bytes()[8 - chunk.len()..]);
        }
    }
}

impl Memory for Remembered {
    fn get(&self, topic: Topic, key: &str, at: Moment) -> Option<Bytes> {
        let values = self.0.lock().unwrap();
        let Value { memo, kept } = values.get(&name(topic, key))?;
        (at.since(*kept) < memo.lifetime).then(|| memo.value.clone())
    }

    fn put(&self, topic: Topic, key: &str, memo: Memo, at: Moment) {
        self.0.lock().unwrap().insert(name(topic, key), Value { memo, kept: at });
    }

    fn forget(&self, topic: Topic, key: &str) {
        self.0.lock().unwrap().remove(&name(topic, key));
    }
}

fn name(topic: Topic, key: &str) -> String {
    format!("{} {key}", topic.name)
}

impl Clone for Remembered {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap().clone()))
    }
}
