//! The record store that all processes of a sandbox share.

use std::collections::BTreeMap;

use atproto_sansio::{
    Deleted, Expect, Listed, Listing, Record, Reply, Saved, StoreCall, StoreOperation, Version,
};

use crate::entropy::Seeded;

/// Records by key. Operations succeed at once, and each write has a random version.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    records: BTreeMap<String, Record>,
    entropy: Seeded,
}

/// Keys of one page.
const PAGE: usize = 100;

impl Records {
    pub(crate) fn new(seed: u64) -> Self {
        Self { records: BTreeMap::new(), entropy: Seeded::new("records", seed) }
    }

    /// All records, in the order of their keys.
    pub(crate) fn all(&self) -> &BTreeMap<String, Record> {
        &self.records
    }

    /// Puts a record in place of the present one, or removes the present one.
    pub(crate) fn put(&mut self, key: &str, record: Option<Record>) {
        match record {
            Some(record) => drop(self.records.insert(key.to_owned(), record)),
            None => drop(self.records.remove(key)),
        }
    }

    /// Performs one operation.
    pub(crate) fn perform(&mut self, call: StoreCall) -> Reply {
        match call.operation {
            StoreOperation::Load { key, respond } => {
                respond.with(Ok(self.records.get(&key).cloned()))
            }
            StoreOperation::Save { key, value, expect, expires_at, respond } => {
                let saved = if self.is_as(&key, expect) {
                    let version = Version(u64::from_be_bytes(self.entropy.bytes()));
                    self.put(&key, Some(Record { value, version, expires_at }));
                    Saved::As(version)
                } else {
                    Saved::Conflict
                };
                respond.with(Ok(saved))
            }
            StoreOperation::Delete { key, expect, respond } => {
                let is_absent = !self.records.contains_key(&key);
                let deleted = if self.is_as(&key, expect) || is_absent {
                    self.put(&key, None);
                    Deleted::Yes
                } else {
                    Deleted::Conflict
                };
                respond.with(Ok(deleted))
            }
            StoreOperation::List { prefix, after, respond } => {
                respond.with(Ok(self.list(&prefix, after.as_deref())))
            }
        }
    }

    fn is_as(&self, key: &str, expect: Expect) -> bool {
        let present = self.records.get(key).map(|record| record.version);
        match expect {
            Expect::Absent => present.is_none(),
            Expect::Version(version) => present == Some(version),
            Expect::Any => true,
        }
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> Listing {
        let is_next = |key: &str| key.starts_with(prefix) && after.is_none_or(|after| key > after);
        let mut found = self.records.iter().filter(|(key, _)| is_next(key));
        let listed = |(key, record): (&String, &Record)| Listed {
            key: key.clone(),
            version: record.version,
            expires_at: record.expires_at,
        };
        let entries: Vec<_> = found.by_ref().take(PAGE).map(listed).collect();
        let last = entries.last().map(|entry| entry.key.clone());
        Listing { entries, next: last.filter(|_| found.next().is_some()) }
    }
}
