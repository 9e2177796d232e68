//! [`Sealed`]: encryption at rest over any store.
//!
//! Each value is sealed with XChaCha20-Poly1305 under a random nonce. The record key, its first segment
//! and the id of the sealing key are authenticated with it. A record opens in any store that holds it
//! under the same record key, and under no other record key.
//!
//! A sealed store hides tokens and private keys, and shows record keys, expiries, sizes and times of
//! writes. It can't tell an old sealed value from the newest one: an attacker who may write to the
//! database can bring back an old state of a record.

mod envelope;
mod key;
mod passphrase;
mod reencrypt;

use atproto_sansio::{Deleted, Expect, Listing, Record, Saved, SecretBytes, StoreError, UnixTime};

use crate::key::{check_value, invalid};
use crate::store::{AsyncStore, Store};

pub use key::{SealingKey, SealingKeys};
pub use reencrypt::Reencrypted;

/// Prefix of the records that this layer has for itself.
const RESERVED: &str = "sealing/";

/// A store that seals each value before it reaches the store below.
///
/// If a value does not open, the operation fails with
/// [`StoreErrorKind::Unreadable`](crate::StoreErrorKind::Unreadable), and the record stays as it is.
/// A value does not open if its key is unknown, if it is damaged, if it was exchanged with another, or if
/// it is not sealed. Keys under `sealing/` are reserved.
///
/// Limits: those of the store below, and a value of [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES). A seal
/// makes a value at most 78 bytes longer.
///
/// The key of this store is made once, and kept in a file apart from it:
///
/// ```no_run
/// use atproto_oauth_store::{MemoryStore, Sealed, SealingKey, SealingKeys, secret_file};
///
/// # fn main() -> Result<(), atproto_oauth_store::StoreError> {
/// let key = secret_file("sealing.key", &SealingKey::generate()?.to_text())?;
/// let keys = SealingKeys::new(SealingKey::from_text(key.expose())?);
/// let store = Sealed::new(MemoryStore::new(), keys); // or a `SqliteStore`, or another store
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sealed<S> {
    inner: S,
    keys: SealingKeys,
}

impl<S> Sealed<S> {
    /// Seals the values of `inner` with the first of `keys`, and opens them with any.
    pub fn new(inner: S, keys: SealingKeys) -> Self {
        Self { inner, keys }
    }

    /// The store below, which has the sealed values.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The keys of this store.
    pub fn keys(&self) -> &SealingKeys {
        &self.keys
    }

    fn open(&self, key: &str, record: Option<Record>) -> Result<Option<Record>, StoreError> {
        let Some(record) = record else {
            return Ok(None);
        };
        let value = self.keys.open(key, &record.value)?.value;
        Ok(Some(Record { value, ..record }))
    }
}

impl<S: Store> Store for Sealed<S> {
    fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        check_key(key)?;
        self.open(key, self.inner.load(key)?)
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
        self.inner.save(key, &self.keys.seal(key, value)?, expect, expires_at)
    }

    fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        check_key(key)?;
        self.inner.delete(key, expect)
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        self.inner.list(prefix, after).map(without_reserved)
    }

    fn protects_at_rest(&self) -> bool {
        true
    }
}

impl<S: AsyncStore> AsyncStore for Sealed<S> {
    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        check_key(key)?;
        self.open(key, self.inner.load(key).await?)
    }

    async fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        check_key(key)?;
        check_value(value)?;
        let sealed = self.keys.seal(key, value)?;
        self.inner.save(key, &sealed, expect, expires_at).await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        check_key(key)?;
        self.inner.delete(key, expect).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        self.inner.list(prefix, after).await.map(without_reserved)
    }

    fn protects_at_rest(&self) -> bool {
        true
    }
}

fn check_key(key: &str) -> Result<(), StoreError> {
    if key.starts_with(RESERVED) {
        return Err(invalid("keys under `sealing/` are reserved in a sealed store; use another"));
    }
    Ok(())
}

/// The page without the records of this layer. The page may become empty and still have a next one.
fn without_reserved(mut page: Listing) -> Listing {
    page.entries.retain(|entry| !entry.key.starts_with(RESERVED));
    page
}
