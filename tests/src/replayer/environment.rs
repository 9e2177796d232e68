//! A world in which nothing happens by itself: entropy that counts, clocks that stand still, a
//! memory that can be copied.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use atproto_dpop::P256Keys;
use atproto_sansio::{Entropy, Env, Memory, Topic, UnixTime};
use bytes::Bytes;

/// Where a machine is run.
#[derive(Clone, Debug)]
pub struct Environment {
    /// What the wall clock says.
    pub now: UnixTime,
    /// What the monotonic clock says.
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
    bytes: Bytes,
    expires: Duration,
}

/// 2026-01-01T00:00:00Z
pub const START: UnixTime = UnixTime::from_secs(1_767_225_600);

impl Environment {
    /// A new one, with nothing remembered.
    pub fn new() -> Self {
        Self {
            now: START,
            elapsed: Duration::from_secs(1000),
            counter: Counter::default(),
            memory: Remembered::default(),
        }
    }

    /// What a machine is polled with.
    pub fn env(&mut self) -> Env<'_> {
        Env {
            now: self.now,
            elapsed: self.elapsed,
            entropy: &mut self.counter,
            memory: &self.memory,
            keys: &P256Keys,
        }
    }

    /// Both clocks go on.
    pub fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.elapsed += time;
    }

    /// The memory is empty.
    pub fn forget(&mut self) {
        self.memory = Remembered::default();
    }
}

impl Entropy for Counter {
    /// Each filling is another number, so what is made of it can be told apart.
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.to_be_bytes()[8 - chunk.len()..]);
        }
    }
}

impl Memory for Remembered {
    fn get(&self, topic: Topic, key: &str, elapsed: Duration) -> Option<Bytes> {
        let values = self.0.lock().unwrap();
        let value = values.get(&name(topic, key))?;
        (value.expires > elapsed).then(|| value.bytes.clone())
    }

    fn put(&self, topic: Topic, key: &str, bytes: Bytes, expires: Duration) {
        self.0.lock().unwrap().insert(name(topic, key), Value { bytes, expires });
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
