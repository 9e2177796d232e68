//! The conformance suite finds stores that break a promise, and names the promise.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use atproto_oauth_store::{
    Deleted, Expect, Listing, MemoryStore, Record, Saved, SecretBytes, Store, StoreError,
    StoreErrorKind, UnixTime, Version, conformance,
};

/// A way to break a promise.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Fault {
    None,
    CutsValues,
    CutsListings,
    DropsExpired,
    FoldsCase,
    CountsVersions,
    IgnoresVersions,
    ShowsKeys,
    PrefixOfCharacters,
}

struct Faulty {
    store: MemoryStore,
    fault: Fault,
    versions: AtomicU64,
    one: Mutex<()>,
}

impl Faulty {
    fn key(&self, key: &str) -> String {
        if self.fault == Fault::FoldsCase { key.to_lowercase() } else { key.to_owned() }
    }
}

impl Store for Faulty {
    fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let record = Store::load(&self.store, &self.key(key))?;
        if self.fault == Fault::DropsExpired {
            let now = UnixTime::from_secs(1_700_000_000);
            let is_valid = |record: &Record| record.expires_at.is_none_or(|expiry| expiry > now);
            return Ok(record.filter(is_valid));
        }
        if self.fault == Fault::CountsVersions {
            // The version is a hash of the value.
            return Ok(record.map(|record| Record { version: hash(&record.value), ..record }));
        }
        Ok(record)
    }

    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        let key = &self.key(key);
        match self.fault {
            Fault::CutsValues if value.0.len() > 100_000 => {
                let value = SecretBytes(value.0.slice(..100_000));
                Store::save(&self.store, key, &value, expect, expires_at)
            }
            Fault::ShowsKeys if key.contains("//") => {
                let detail = format!("the key {key} has an empty segment");
                Err(StoreError::new(StoreErrorKind::Invalid, detail))
            }
            // Reads, compares and writes in three steps.
            Fault::IgnoresVersions => {
                let present = Store::load(&self.store, key)?.map(|record| record.version);
                let is_met = match expect {
                    Expect::Absent => present.is_none(),
                    Expect::Version(version) => present == Some(version),
                    Expect::Any => true,
                };
                std::thread::yield_now();
                self.versions.fetch_add(1, Ordering::Relaxed);
                if is_met {
                    Store::save(&self.store, key, value, Expect::Any, expires_at)
                } else {
                    Ok(Saved::Conflict)
                }
            }
            Fault::CountsVersions => {
                let _one = self.one.lock().unwrap();
                let record = self.load(key)?;
                let expect = match (expect, record) {
                    (Expect::Version(version), Some(record)) if record.version == version => {
                        Expect::Any
                    }
                    (Expect::Version(_), _) => return Ok(Saved::Conflict),
                    (expect, _) => expect,
                };
                Ok(match Store::save(&self.store, key, value, expect, expires_at)? {
                    Saved::As(_) => Saved::As(hash(value)),
                    Saved::Conflict => Saved::Conflict,
                })
            }
            _ => Store::save(&self.store, key, value, expect, expires_at),
        }
    }

    fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        let expect = match expect {
            Expect::Version(_) if self.fault == Fault::CountsVersions => Expect::Any,
            expect => expect,
        };
        Store::delete(&self.store, &self.key(key), expect)
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        let mut page = match self.fault {
            Fault::PrefixOfCharacters if prefix.matches('/').count() > 2 => {
                let short = prefix.trim_end_matches('/');
                let outer = &short[..=short.rfind('/').unwrap()];
                let mut page = Store::list(&self.store, outer, after)?;
                page.entries.retain(|entry| entry.key.starts_with(short));
                page
            }
            _ => Store::list(&self.store, &self.key(prefix), after)?,
        };
        if self.fault == Fault::CutsListings {
            page.next = None;
        }
        Ok(page)
    }
}

fn hash(value: &SecretBytes) -> Version {
    Version(value.0.iter().fold(7, |hash: u64, byte| hash.wrapping_mul(31) + u64::from(*byte)))
}

fn failed(fault: Fault) -> Vec<String> {
    let store = Faulty {
        store: MemoryStore::new(),
        fault,
        versions: AtomicU64::new(0),
        one: Mutex::new(()),
    };
    match conformance::run(&store) {
        Ok(()) => Vec::new(),
        Err(failed) => failed.checks().map(|(name, _)| name.to_owned()).collect(),
    }
}

#[track_caller]
fn finds(fault: Fault, check: &str) {
    let failed = failed(fault);
    assert!(failed.iter().any(|name| name == check), "{check} passes; these fail: {failed:?}");
}

#[test]
fn a_correct_store_passes() {
    assert!(failed(Fault::None).is_empty());
}

#[test]
fn faults_are_found() {
    finds(Fault::CutsValues, "a_value_is_kept_whole_or_refused");
    finds(Fault::CutsListings, "each_key_is_listed_once_during_writes");
    finds(Fault::DropsExpired, "an_expiry_is_returned_and_not_judged");
    finds(Fault::FoldsCase, "odd_segments_are_kept_apart");
    finds(Fault::CountsVersions, "a_version_is_never_used_again");
    finds(Fault::IgnoresVersions, "a_record_is_taken_once");
    finds(Fault::ShowsKeys, "errors_show_no_key_and_no_value");
    finds(Fault::PrefixOfCharacters, "a_prefix_is_whole_segments");
}
