//! The store of a simulation: records that all processes share. What goes wrong is decided by the
//! caller.

use std::collections::BTreeMap;

use atproto_sansio::{
    Deleted, Expect, Listed, Listing, Record, Reply, Saved, SecretBytes, StoreCall, StoreError,
    StoreErrorKind, StoreOperation, UnixTime, Version,
};

use crate::random::Random;
use crate::sabotage::Sabotage;

/// Records by key.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) records: BTreeMap<String, Record>,
    /// The record before the present one, which a stale load returns.
    earlier: BTreeMap<String, Record>,
    versions: Random,
    sabotage: Option<Sabotage>,
}

/// How one operation goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Works,
    /// The operation fails, and nothing was applied.
    Fails,
    /// There is no answer, and nothing was applied.
    LosesRequest,
    /// There is no answer, and it was applied.
    LosesAnswer,
    /// The operation is confirmed, and not applied.
    IsForgotten,
    /// A load returns the record before the present one.
    IsStale,
}

impl Records {
    pub(crate) fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let (records, earlier) = (BTreeMap::new(), BTreeMap::new());
        Self { records, earlier, versions: Random::new(!seed), sabotage }
    }

    /// Performs an operation. `applied` sees each value that the store keeps.
    pub(crate) fn perform(
        &mut self,
        call: StoreCall,
        fate: Fate,
        applied: impl FnOnce(&str, &SecretBytes),
    ) -> Reply {
        match fate {
            Fate::Fails => {
                return call
                    .fail(StoreError::new(StoreErrorKind::Unavailable, "the store is down"));
            }
            Fate::LosesRequest => {
                return call.fail(StoreError::maybe_applied("the connection was lost"));
            }
            Fate::Works | Fate::LosesAnswer | Fate::IsForgotten | Fate::IsStale => {}
        }
        let lost = fate == Fate::LosesAnswer;
        let answer = || StoreError::maybe_applied("the connection was lost");
        match call.operation {
            StoreOperation::Load { key, respond } => {
                let earlier = self.earlier.get(&key).filter(|_| fate == Fate::IsStale);
                let record = earlier.or_else(|| self.records.get(&key)).cloned();
                let record = match self.sabotage {
                    Some(sabotage) => record.map(|record| sabotage.shown(record)),
                    None => record,
                };
                respond.with(if lost { Err(answer()) } else { Ok(record) })
            }
            StoreOperation::Save { key, value, expect, expires_at, respond } => {
                let saved = match self.is_as(&key, expect) {
                    true if fate == Fate::IsForgotten => Saved::As(Version(self.versions.next())),
                    true => {
                        applied(&key, &value);
                        self.put(key, value, expires_at)
                    }
                    false => Saved::Conflict,
                };
                respond.with(if lost { Err(answer()) } else { Ok(saved) })
            }
            StoreOperation::Delete { key, expect, respond } => {
                let is_absent = !self.records.contains_key(&key);
                let deleted = match is_absent || self.is_as(&key, expect) {
                    true => {
                        self.records.remove(&key);
                        Deleted::Yes
                    }
                    false => Deleted::Conflict,
                };
                respond.with(if lost { Err(answer()) } else { Ok(deleted) })
            }
            StoreOperation::List { prefix, respond, .. } => {
                let listed = |(key, record): (&String, &Record)| Listed {
                    key: key.clone(),
                    version: record.version,
                    expires_at: record.expires_at,
                };
                let of_prefix = |(key, _): &(&String, &Record)| key.starts_with(&prefix);
                let entries = self.records.iter().filter(of_prefix).map(listed).collect();
                let listing = Listing { entries, next: None };
                respond.with(if lost { Err(answer()) } else { Ok(listing) })
            }
        }
    }

    fn put(&mut self, key: String, value: SecretBytes, expires_at: Option<UnixTime>) -> Saved {
        let version = Version(self.versions.next());
        let value = match self.sabotage {
            Some(sabotage) => sabotage.kept(value),
            None => value,
        };
        let before = self.records.insert(key.clone(), Record { value, version, expires_at });
        if let Some(before) = before {
            self.earlier.insert(key, before);
        }
        Saved::As(version)
    }

    fn is_as(&self, key: &str, expect: Expect) -> bool {
        let present = self.records.get(key).map(|record| record.version);
        match expect {
            _ if self.sabotage == Some(Sabotage::NoCompareAndSet) => true,
            Expect::Absent => present.is_none(),
            Expect::Version(version) => present == Some(version),
            Expect::Any => true,
        }
    }
}

/// Name of an operation and its record, with the lease, for a trace.
pub(crate) fn name(call: &StoreCall) -> String {
    match &call.operation {
        StoreOperation::Load { key, .. } => format!("load {key}"),
        StoreOperation::Save { key, value, expect, .. } => {
            let json = serde_json::from_slice(&value.0).unwrap_or(serde_json::Value::Null);
            let member = |name: &str| json.get(name).cloned().unwrap_or_default();
            let token = json.pointer("/session/refresh_token");
            let (lease, closed) = (member("lease"), member("closed"));
            format!("save {key} {expect:?} lease {lease} closed {closed} token {token:?}")
        }
        StoreOperation::Delete { key, expect, .. } => format!("delete {key} {expect:?}"),
        StoreOperation::List { prefix, .. } => format!("list {prefix}"),
    }
}
