//! [`MemoryStore`]: records that end with the process.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use atproto_sansio::{
    Deleted, Expect, Listed, Listing, Record, Saved, SecretBytes, StoreError, UnixTime, Version,
};
use zeroize::Zeroizing;

use crate::key::{PAGE, check_key, check_prefix, check_value, foreign_position};
use crate::record::{deletion, is_met, new_version, whole_seconds, wiped};
use crate::store::{AsyncStore, Store};

/// A store in memory, for tests and for programs whose sessions may end with the process. It is a
/// [`Store`] and an [`AsyncStore`].
///
/// A value is wiped when it is replaced or removed, and when the store is dropped. A copy that was
/// loaded is wiped when its last reader drops it.
///
/// Limits: [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES), [`MAX_SEGMENTS`](crate::MAX_SEGMENTS),
/// [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES). An expiry is kept in whole seconds.
#[derive(Default)]
pub struct MemoryStore {
    records: Mutex<BTreeMap<Box<str>, Kept>>,
}

struct Kept {
    value: Zeroizing<Box<[u8]>>,
    version: Version,
    expires_at: Option<UnixTime>,
}

impl MemoryStore {
    /// A store without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes the records whose expiry is before `now`, and returns their number.
    pub fn sweep(&self, now: UnixTime) -> usize {
        let mut records = self.records();
        let before = records.len();
        records.retain(|_, kept| kept.expires_at.is_none_or(|expiry| expiry >= now));
        before - records.len()
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Kept>> {
        // Each operation changes the map in one step, so a panic leaves no half of a change.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        check_key(key)?;
        Ok(self.records().get(key).map(|kept| Record {
            value: wiped(Box::<[u8]>::from(&kept.value[..])),
            version: kept.version,
            expires_at: kept.expires_at,
        }))
    }

    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        check_key(key)?;
        check_value(value)?;
        let version = new_version()?;
        let value = Zeroizing::new(Box::from(&value.0[..]));
        let kept = Kept { value, version, expires_at: whole_seconds(expires_at) };

        let mut records = self.records();
        match records.entry(Box::from(key)) {
            Entry::Vacant(entry) if is_met(expect, None) => {
                entry.insert(kept);
            }
            Entry::Occupied(mut entry) if is_met(expect, Some(entry.get().version)) => {
                entry.insert(kept);
            }
            _ => return Ok(Saved::Conflict),
        }
        Ok(Saved::As(version))
    }

    fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        check_key(key)?;
        let mut records = self.records();
        let present = records.get(key).map(|kept| kept.version);
        Ok(deletion(expect, present).unwrap_or_else(|| {
            records.remove(key);
            Deleted::Yes
        }))
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        check_prefix(prefix)?;
        let from = match after {
            None => Bound::Included(prefix),
            Some(after) if after.starts_with(prefix) => Bound::Excluded(after),
            Some(_) => return Err(foreign_position()),
        };
        let records = self.records();
        let mut rest = records
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, kept)| Listed {
                key: String::from(&**key),
                version: kept.version,
                expires_at: kept.expires_at,
            });
        let entries: Vec<_> = rest.by_ref().take(PAGE).collect();
        let is_last = rest.next().is_none();
        let next = entries.last().filter(|_| !is_last).map(|last| last.key.clone());
        Ok(Listing { entries, next })
    }

    /// `true`: no value is written to a disk.
    fn protects_at_rest(&self) -> bool {
        true
    }
}

/// Each operation is done when its future is polled first, and no future waits.
impl AsyncStore for MemoryStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        Store::load(self, key)
    }

    async fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        Store::save(self, key, value, expect, expires_at)
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        Store::delete(self, key, expect)
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        Store::list(self, prefix, after)
    }

    /// `true`: no value is written to a disk.
    fn protects_at_rest(&self) -> bool {
        true
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("records", &self.records().len()).finish()
    }
}
