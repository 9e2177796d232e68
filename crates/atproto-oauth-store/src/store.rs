//! The two traits of a store: the same four operations, blocking and async.

use atproto_sansio::{Deleted, Expect, Listing, Record, Saved, SecretBytes, StoreError, UnixTime};

/// A blocking store of versioned records under string keys.
///
/// # Keys
///
/// A key is one or more segments with `/` between them. A segment is not empty and is text of any
/// other characters. A key or prefix of another form is an error of the kind [`Invalid`], and so is a
/// key with a character that the store can't keep, such as NUL.
///
/// [`Invalid`]: atproto_sansio::StoreErrorKind::Invalid
///
/// # Promises
///
/// * `save` and `delete` are linearizable per key, and durable when they return. `load` and `list` may
///   be stale.
/// * Each write has a version of 64 random bits. A version is never used again, not even after a delete
///   or after a backup was restored.
/// * A key or a value that is too large is an error, and is never cut.
/// * A record that can't be read is an error, and is never deleted.
/// * The store judges no expiry: it returns a record after its `expires_at`, until somebody deletes it.
/// * If an operation fails, [`StoreError::maybe_applied`] says whether the store may have applied it.
/// * No error, `Debug` output or log has a key or a value in it, because a key can hold a `state`.
pub trait Store: Send + Sync {
    /// The record under `key`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Fails if the store is not available, or if the record can't be read.
    fn load(&self, key: &str) -> Result<Option<Record>, StoreError>;

    /// Writes `value` under `key` if the present record is as `expect` says.
    ///
    /// # Errors
    ///
    /// Fails if the store is not available, or if key or value are too large.
    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError>;

    /// Removes the record under `key` if it is as `expect` says. If there is none, the reply is
    /// [`Deleted::Yes`], whatever `expect` says.
    ///
    /// # Errors
    ///
    /// Fails if the store is not available.
    fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError>;

    /// The keys that begin with `prefix`, page by page: `after` is the [`Listing::next`] of the page
    /// before. `prefix` is empty, or whole segments with a `/` behind each.
    ///
    /// # Errors
    ///
    /// Fails if the store is not available, or if `after` is not of this store.
    fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError>;

    /// Whether a thief of the store's disks or backups can't read the values: they are sealed, or they
    /// are never written to a disk.
    ///
    /// A caller that wants no plain records refuses a store that answers `false`. The default is
    /// `false`. `Sealed` (feature `sealed`) answers `true`.
    fn protects_at_rest(&self) -> bool {
        false
    }
}

/// An async store of versioned records: the promises of [`Store`], with futures.
///
/// If a future is dropped, the store may have applied its operation.
pub trait AsyncStore: Send + Sync + 'static {
    /// Loads like [`Store::load`].
    fn load(&self, key: &str) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// Saves like [`Store::save`].
    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> impl Future<Output = Result<Saved, StoreError>> + Send;

    /// Deletes like [`Store::delete`].
    fn delete(
        &self,
        key: &str,
        expect: Expect,
    ) -> impl Future<Output = Result<Deleted, StoreError>> + Send;

    /// Lists like [`Store::list`].
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
    ) -> impl Future<Output = Result<Listing, StoreError>> + Send;

    /// Answers like [`Store::protects_at_rest`].
    fn protects_at_rest(&self) -> bool {
        false
    }
}
