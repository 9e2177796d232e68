//! [`MapMemory`]: a cache in maps. Feature `std`.
//!
//! Each topic has a map and a lock of its own, so that a nonce is not kept waiting by a document.
#![expect(
    clippy::disallowed_types,
    reason = "the feature `std` supplies the locks that the other modules do without"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use zeroize::Zeroize;

use crate::env::{Memo, Memory, Topic};
use crate::time::Moment;

/// A [`Memory`] in maps, bounded by [`Topic::capacity`] and [`Topic::bytes`].
///
/// A value that has expired is dropped when the next value of its topic is kept. If a topic is
/// full, the value that expires first is dropped. Secret values are wiped when they are dropped, if
/// no clone of them is in use.
#[derive(Default)]
pub struct MapMemory {
    topics: RwLock<BTreeMap<&'static str, Arc<Mutex<Values>>>>,
}

/// The values of one topic.
#[derive(Default)]
struct Values {
    by_key: BTreeMap<Arc<str>, Value>,
    /// Expiry on the monotonic clock, and key, of each value: the order in which values are dropped.
    by_expiry: BTreeSet<(Duration, Arc<str>)>,
    /// Bytes of all values together.
    bytes: usize,
}

struct Value {
    memo: Memo,
    kept: Moment,
    is_secret: bool,
}

impl MapMemory {
    /// The values of `topic`. Poisoning is ignored: no code panics while a lock is held, so the maps
    /// are consistent.
    fn of(&self, topic: Topic) -> Arc<Mutex<Values>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(values) = topics.get(topic.name) {
            return Arc::clone(values);
        }
        drop(topics);
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(topics.entry(topic.name).or_default())
    }
}

impl Memory for MapMemory {
    fn get(&self, topic: Topic, key: &str, at: Moment) -> Option<Bytes> {
        let values = self.of(topic);
        let values = values.lock().unwrap_or_else(PoisonError::into_inner);
        let value = values.by_key.get(key).filter(|value| value.is_valid(at))?;
        Some(value.memo.value.clone())
    }

    fn put(&self, topic: Topic, key: &str, memo: Memo, at: Moment) {
        let values = self.of(topic);
        let mut values = values.lock().unwrap_or_else(PoisonError::into_inner);
        let present = values.by_key.get(key).filter(|present| present.is_valid(at));
        if present.is_some_and(|present| present.memo.order > memo.order) {
            return;
        }
        let key = values.remove(key).unwrap_or_else(|| Arc::from(key));
        if topic.capacity > 0 && memo.value.len() <= topic.bytes {
            values.make_room(topic, memo.value.len(), at);
            values.insert(key, Value { memo, kept: at, is_secret: topic.is_secret });
        }
    }

    fn forget(&self, topic: Topic, key: &str) {
        let values = self.of(topic);
        values.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl Values {
    /// Drops the values that have expired, and then those that expire first, until a value of
    /// `length` bytes fits.
    fn make_room(&mut self, topic: Topic, length: usize, at: Moment) {
        while let Some((expires, key)) = self.by_expiry.first() {
            let is_full = self.by_key.len() >= topic.capacity
                || self.bytes.saturating_add(length) > topic.bytes;
            if *expires > at.elapsed && !is_full {
                return;
            }
            let key = Arc::clone(key);
            self.remove(&key);
        }
    }

    fn insert(&mut self, key: Arc<str>, value: Value) {
        self.bytes = self.bytes.saturating_add(value.memo.value.len());
        self.by_expiry.insert((value.expires(), Arc::clone(&key)));
        self.by_key.insert(key, value);
    }

    /// Drops the value of `key`, and returns the key as it was kept.
    fn remove(&mut self, key: &str) -> Option<Arc<str>> {
        let (key, value) = self.by_key.remove_entry(key)?;
        self.bytes = self.bytes.saturating_sub(value.memo.value.len());
        let entry = (value.expires(), key);
        self.by_expiry.remove(&entry);
        Some(entry.1)
    }
}

impl Value {
    fn is_valid(&self, at: Moment) -> bool {
        at.since(self.kept) < self.memo.lifetime
    }

    /// Expiry on the monotonic clock.
    fn expires(&self) -> Duration {
        self.kept.elapsed.saturating_add(self.memo.lifetime)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if self.is_secret
            && let Ok(mut bytes) = std::mem::take(&mut self.memo.value).try_into_mut()
        {
            bytes.as_mut().zeroize();
        }
    }
}

/// Prints no cached value, because a cached value may be a session.
impl fmt::Debug for MapMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapMemory").finish_non_exhaustive()
    }
}
