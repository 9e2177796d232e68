//! Sealing all records again with the first key, after a key was replaced.

use std::fmt;

use atproto_sansio::{Expect, Listing, Record, Saved, SecretBytes, StoreError, StoreErrorKind};

use super::{Sealed, without_reserved};
use crate::store::{AsyncStore, Store};

/// The counts of one page of [`Sealed::reencrypt`]. `Debug` omits the position, because it can be a
/// record key.
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reencrypted {
    /// Records that were sealed again with the first key.
    pub resealed: u64,
    /// Records that the first key had sealed already.
    pub already: u64,
    /// Records that another process changed meanwhile. They may still be sealed by an old key: if the
    /// count is not zero, run all pages again.
    pub conflicts: u64,
    /// Records that do not open with any of the keys. They stay as they are.
    pub unreadable: u64,
    /// Position of the next page; `None` after the last page.
    pub next: Option<String>,
}

impl<S> Sealed<S> {
    /// Seals one page of records again with the first key, and keeps their expiry. `after` is `None`
    /// for the first page, and then [`Reencrypted::next`] of the page before.
    ///
    /// All processes must have the first key before this is called, or they can't read the records
    /// any more. A record changes by compare-and-set, so that no write of another process is lost.
    ///
    /// # Errors
    ///
    /// Fails if the store is not available. The same page may be tried again.
    pub fn reencrypt(&self, after: Option<&str>) -> Result<Reencrypted, StoreError>
    where
        S: Store,
    {
        let page = without_reserved(self.inner.list("", after)?);
        let mut counts = Reencrypted::of(&page);
        for entry in page.entries {
            let Some(record) = self.inner.load(&entry.key)? else {
                continue;
            };
            if let Some(value) = self.resealed(&entry.key, &record, &mut counts)? {
                let expect = Expect::Version(record.version);
                let saved = self.inner.save(&entry.key, &value, expect, record.expires_at)?;
                counts.add(saved);
            }
        }
        Ok(counts)
    }

    /// [`reencrypt`](Self::reencrypt) over an async store.
    ///
    /// # Errors
    ///
    /// Fails if the store is not available. The same page may be tried again.
    pub async fn reencrypt_async(&self, after: Option<&str>) -> Result<Reencrypted, StoreError>
    where
        S: AsyncStore,
    {
        let page = without_reserved(self.inner.list("", after).await?);
        let mut counts = Reencrypted::of(&page);
        for entry in page.entries {
            let Some(record) = self.inner.load(&entry.key).await? else {
                continue;
            };
            if let Some(value) = self.resealed(&entry.key, &record, &mut counts)? {
                let expect = Expect::Version(record.version);
                let saved = self.inner.save(&entry.key, &value, expect, record.expires_at).await?;
                counts.add(saved);
            }
        }
        Ok(counts)
    }

    /// The value under the first key; `None` if there is nothing to save.
    fn resealed(
        &self,
        key: &str,
        record: &Record,
        counts: &mut Reencrypted,
    ) -> Result<Option<SecretBytes>, StoreError> {
        match self.keys.open(key, &record.value) {
            Ok(opened) if opened.by_first => counts.already += 1,
            Ok(opened) => return self.keys.seal(key, &opened.value).map(Some),
            Err(error) if error.kind == StoreErrorKind::Unreadable => counts.unreadable += 1,
            Err(error) => return Err(error),
        }
        Ok(None)
    }
}

impl Reencrypted {
    fn of(page: &Listing) -> Self {
        Self { next: page.next.clone(), ..Self::default() }
    }

    fn add(&mut self, saved: Saved) {
        match saved {
            Saved::As(_) => self.resealed += 1,
            Saved::Conflict => self.conflicts += 1,
        }
    }
}

impl fmt::Debug for Reencrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reencrypted")
            .field("resealed", &self.resealed)
            .field("already", &self.already)
            .field("conflicts", &self.conflicts)
            .field("unreadable", &self.unreadable)
            .field("is_last", &self.next.is_none())
            .finish_non_exhaustive()
    }
}
