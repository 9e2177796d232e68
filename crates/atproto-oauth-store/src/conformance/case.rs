//! The surroundings of one check: keys of its own, and operations whose errors are texts.

use std::fmt;

use atproto_sansio::{Deleted, Expect, Listed, Record, Saved, SecretBytes, UnixTime, Version};
use bytes::Bytes;

use super::subject::Subject;

/// Result of a check: the reason of its failure.
pub(super) type Outcome<T = ()> = Result<T, String>;

/// How often an operation is tried that the store was not available for.
const ATTEMPTS: usize = 50;

/// Fails the check unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            return Err(format!($($reason)+));
        }
    };
}
pub(super) use ensure;

/// Repeats an operation that the store was not available for, and that was surely not applied.
macro_rules! retry {
    ($operation:expr) => {{
        let mut attempts = 1;
        loop {
            match $operation.await {
                Err(error)
                    if error.is_transient() && !error.maybe_applied && attempts < ATTEMPTS =>
                {
                    attempts += 1;
                }
                outcome => break outcome.map_err(|error| error.to_string()),
            }
        }
    }};
}

/// One check's view of the store.
pub(super) struct Case<'a> {
    store: &'a dyn Subject,
    /// Random text in all keys of the check.
    pub(super) id: String,
}

impl<'a> Case<'a> {
    pub(super) fn new(store: &'a dyn Subject) -> Outcome<Self> {
        let id = getrandom::u64().map_err(|error| error.to_string())?;
        Ok(Self { store, id: format!("{id:016x}") })
    }

    /// Prefix of the keys of this check.
    pub(super) fn prefix(&self) -> String {
        format!("session/did:plc:{}/", self.id)
    }

    /// The key of a session with this last segment, or with these last segments.
    pub(super) fn key(&self, last: &str) -> String {
        self.prefix() + last
    }

    /// The key of a pending login. The check has to remove its record.
    pub(super) fn state(&self, name: &str) -> String {
        format!("state/{}-{name}", self.id)
    }

    /// The store itself, for a check that looks at its errors.
    pub(super) fn store(&self) -> &'a dyn Subject {
        self.store
    }

    pub(super) async fn load(&self, key: &str) -> Outcome<Option<Record>> {
        retry!(self.store.load(key))
    }

    /// The value under `key`, which must exist.
    pub(super) async fn value(&self, key: &str) -> Outcome<Vec<u8>> {
        let record = self.load(key).await?.ok_or("a record that was saved is missing")?;
        Ok(record.value.0.to_vec())
    }

    pub(super) async fn save(&self, key: &str, value: &[u8], expect: Expect) -> Outcome<Saved> {
        self.save_until(key, value, expect, None).await
    }

    pub(super) async fn save_until(
        &self,
        key: &str,
        value: &[u8],
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Outcome<Saved> {
        let value = secret(value);
        retry!(self.store.save(key, &value, expect, expires_at))
    }

    /// Saves a record that must not conflict.
    pub(super) async fn write(&self, key: &str, value: &[u8], expect: Expect) -> Outcome<Version> {
        match self.save(key, value, expect).await? {
            Saved::As(version) => Ok(version),
            Saved::Conflict => Err(format!("a save conflicts that expects {}", shown(expect))),
        }
    }

    pub(super) async fn delete(&self, key: &str, expect: Expect) -> Outcome<Deleted> {
        retry!(self.store.delete(key, expect))
    }

    /// The entries of all pages.
    pub(super) async fn list(&self, prefix: &str) -> Outcome<Vec<Listed>> {
        let mut entries = Vec::new();
        let mut after = None;
        loop {
            let page = retry!(self.store.list(prefix, after.as_deref()))?;
            entries.extend(page.entries);
            ensure!(page.next.is_none() || page.next != after, "a page is its own next page");
            after = page.next;
            if after.is_none() {
                return Ok(entries);
            }
        }
    }

    /// The keys of all pages, sorted.
    pub(super) async fn keys(&self, prefix: &str) -> Outcome<Vec<String>> {
        let mut keys: Vec<_> =
            self.list(prefix).await?.into_iter().map(|entry| entry.key).collect();
        keys.sort_unstable();
        Ok(keys)
    }

    /// Removes the records of this check.
    pub(super) async fn remove_all(&self) -> Outcome {
        for key in self.keys(&self.prefix()).await? {
            self.delete(&key, Expect::Any).await?;
        }
        ensure!(self.keys(&self.prefix()).await?.is_empty(), "records remain that were deleted");
        Ok(())
    }
}

/// The value of a record.
pub(super) fn secret(value: &[u8]) -> SecretBytes {
    SecretBytes(Bytes::copy_from_slice(value))
}

fn shown(expect: Expect) -> impl fmt::Display {
    match expect {
        Expect::Absent => "no record",
        Expect::Version(_) => "the present version",
        Expect::Any => "nothing",
    }
}
