//! Records and blobs of an account. There is no Merkle tree and no signature, so commits can't be
//! verified.

use std::collections::{BTreeMap, BTreeSet};

use atproto_sansio::UnixTime;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::accounts::cid;

/// Stored records and blobs of one account.
#[derive(Debug, Default)]
pub(crate) struct Repository {
    /// Records by collection and record key.
    records: BTreeMap<(String, String), Record>,
    /// Content type and bytes of blobs, by CID.
    blobs: BTreeMap<String, (String, Bytes)>,
    /// The last key or revision that was generated, in microseconds since 1970.
    last_key: u64,
    /// CID of the record in the last write; empty if the last write deleted a record.
    changed: String,
    /// CID of the last commit; empty before the first commit.
    commit: String,
}

/// One record, with its `at://` URI and its CID.
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

    /// Iterates over the records of a collection, with the greatest record key first.
    pub(crate) fn records<'a>(&'a self, collection: &'a str) -> impl Iterator<Item = &'a Record> {
        self.records.iter().rev().filter(move |((this, _), _)| this == collection).map(|(_, r)| r)
    }

    /// Creates or replaces a record, and returns its URI `at://<did>/<collection>/<key>`.
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

    /// Stores a blob and returns its CID.
    pub(crate) fn upload(&mut self, content_type: &str, bytes: Bytes) -> String {
        let cid = cid::of_blob(&bytes);
        self.blobs.insert(cid.clone(), (content_type.to_owned(), bytes));
        cid
    }

    /// Iterates over the values of all records.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.records.values().map(|record| &record.value)
    }

    pub(crate) fn blob(&self, cid: &str) -> Option<&(String, Bytes)> {
        self.blobs.get(cid)
    }

    /// Returns a new record key, greater than all before: a TID, which encodes microseconds in
    /// base32 (AT Protocol "TID").
    pub(crate) fn next_key(&mut self, now: UnixTime) -> String {
        let micros = now.since(UnixTime::from_secs(0)).as_micros() as u64;
        self.last_key = micros.max(self.last_key.saturating_add(1));
        tid(self.last_key)
    }

    /// Creates a commit and returns the `commit` of a write's response: its CID and revision.
    ///
    /// The commit CID hashes the previous commit CID, the revision, and the CID of the written
    /// record. It does not hash the whole repository, so that the time of a commit does not grow
    /// with the repository.
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

/// Encodes a TID with the clock id 0: 13 characters of base32-sortable.
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
