//! Records and blobs of an account. Without the tree that proves them: nobody here verifies commits.

use std::collections::{BTreeMap, BTreeSet};

use atproto_sansio::UnixTime;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::accounts::cid;

/// What an account has stored.
#[derive(Debug, Default)]
pub(crate) struct Repository {
    records: BTreeMap<(String, String), Record>,
    blobs: BTreeMap<String, (String, Bytes)>,
    last_key: u64,
    /// The CID of the record that was written last; empty, if it was deleted.
    changed: String,
    /// The CID of the last commit.
    commit: String,
}

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    uri: String,
    cid: String,
    value: Value,
}

impl Repository {
    pub(crate) fn record(&self, collection: &str, key: &str) -> Option<&Record> {
        self.records.get(&(collection.to_owned(), key.to_owned()))
    }

    pub(crate) fn collections(&self) -> BTreeSet<&str> {
        self.records.keys().map(|(collection, _)| collection.as_str()).collect()
    }

    /// The records of a collection, the newest key first.
    pub(crate) fn records<'a>(&'a self, collection: &'a str) -> impl Iterator<Item = &'a Record> {
        self.records.iter().rev().filter(move |((this, _), _)| this == collection).map(|(_, r)| r)
    }

    /// Writes a record and gives its URI.
    pub(crate) fn put(
        &mut self,
        did: &str,
        collection: &str,
        key: &str,
        cid: &str,
        value: Value,
    ) -> String {
        let uri = format!("at://{did}/{collection}/{key}");
        let record = Record { uri: uri.clone(), cid: cid.to_owned(), value };
        cid.clone_into(&mut self.changed);
        self.records.insert((collection.to_owned(), key.to_owned()), record);
        uri
    }

    pub(crate) fn delete(&mut self, collection: &str, key: &str) {
        self.records.remove(&(collection.to_owned(), key.to_owned()));
        self.changed.clear();
    }

    /// Keeps a blob and gives its name.
    pub(crate) fn upload(&mut self, content_type: &str, bytes: Bytes) -> String {
        let cid = cid::of_blob(&bytes);
        self.blobs.insert(cid.clone(), (content_type.to_owned(), bytes));
        cid
    }

    /// The records of all collections.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.records.values().map(|record| &record.value)
    }

    pub(crate) fn blob(&self, cid: &str) -> Option<&(String, Bytes)> {
        self.blobs.get(cid)
    }

    /// A key later than all before: microseconds in base32 (AT Protocol "TID").
    pub(crate) fn next_key(&mut self, now: UnixTime) -> String {
        let micros = now.since(UnixTime::from_secs(0)).as_micros() as u64;
        self.last_key = micros.max(self.last_key.saturating_add(1));
        tid(self.last_key)
    }

    /// What a write answers about the repository. Commits follow from each other, so that one takes
    /// no longer the more there is.
    pub(crate) fn commit(&mut self, now: UnixTime) -> Value {
        let rev = self.next_key(now);
        let commit = json!({"prev": self.commit, "rev": rev, "record": self.changed});
        self.commit = cid::of_record(&commit).unwrap_or_default();
        json!({"cid": self.commit, "rev": rev})
    }
}

impl Record {
    pub(crate) fn key(&self) -> &str {
        self.uri.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn cid(&self) -> &str {
        &self.cid
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"uri": self.uri, "cid": self.cid, "value": self.value})
    }
}

fn tid(micros: u64) -> String {
    const ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
    let number = micros << 10;
    (0..13)
        .rev()
        .map(|at| ALPHABET.get((number >> (5 * at)) as usize & 31).map_or('2', |c| char::from(*c)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_commit_has_a_cid_and_a_rev_of_its_own() {
        let mut repository = Repository::default();
        let now = UnixTime::from_secs(1);
        let mut commits = Vec::new();
        for _ in 0..3 {
            repository.put("did:plc:a", "a.b.c", "self", "bafyreia", json!({}));
            commits.push(repository.commit(now));
            repository.delete("a.b.c", "self");
            commits.push(repository.commit(now));
        }
        for name in ["cid", "rev"] {
            let different: BTreeSet<_> =
                commits.iter().map(|commit| commit[name].as_str()).collect();
            assert_eq!(different.len(), commits.len(), "{name}");
        }
    }
}
