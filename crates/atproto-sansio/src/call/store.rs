//! Calls to a record store: versioned records under string keys, changed by compare-and-set.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::call::{Reply, Respond};
use crate::error::{Phase, TransportError};
use crate::time::UnixTime;

/// One operation on a record store, and its time limit.
#[must_use = "a call that is dropped is answered with `MaybeSent`"]
pub struct StoreCall {
    /// The operation.
    pub operation: StoreOperation,
    /// Time limit of the operation. After it, the driver replies with a [`StoreError`] whose
    /// [`maybe_applied`](StoreError::maybe_applied) is true.
    pub timeout: Duration,
}

/// An operation on a record store, with the right to answer it.
///
/// `Save` and `Delete` are linearizable per key, and durable when the store answers. A store never
/// uses a version again, not even after a delete. It judges no expiry: it keeps a record after
/// [`Record::expires_at`] until it is deleted or swept.
#[expect(clippy::exhaustive_enums, reason = "every store performs all of them")]
#[must_use = "a call that is dropped is answered with `MaybeSent`"]
pub enum StoreOperation {
    /// Reads the record under `key`. The record may be stale.
    Load {
        /// Key of the record.
        key: String,
        /// The right to answer this call. The reply is `None` if there is no record.
        respond: Respond<Option<Record>>,
    },
    /// Writes the record under `key`, if the present record is as `expect` says.
    Save {
        /// Key of the record.
        key: String,
        /// The new value.
        value: SecretBytes,
        /// Condition on the present record; if it is not met, the reply is [`Saved::Conflict`].
        expect: Expect,
        /// Time after which the store may drop the record; `None` for never.
        expires_at: Option<UnixTime>,
        /// The right to answer this call.
        respond: Respond<Saved>,
    },
    /// Removes the record under `key`, if the present record is as `expect` says.
    Delete {
        /// Key of the record.
        key: String,
        /// Condition on the present record; if it is not met, the reply is [`Deleted::Conflict`].
        expect: Expect,
        /// The right to answer this call.
        respond: Respond<Deleted>,
    },
    /// Lists the keys that begin with `prefix`, page by page.
    List {
        /// Prefix of the keys: whole segments, each with its `/`, or empty.
        prefix: String,
        /// The [`Listing::next`] of the page before; `None` for the first page.
        after: Option<String>,
        /// The right to answer this call.
        respond: Respond<Listing>,
    },
}

/// One page of keys, in an order that the store chooses.
///
/// A key that is neither written nor deleted meanwhile is on exactly one page. `Debug` omits the
/// position, because it can be a key.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Listing {
    /// The keys of this page with what the store knows of their records.
    pub entries: Vec<Listed>,
    /// Position of the next page, as text of the store's own; `None` after the last page.
    pub next: Option<String>,
}

/// One key of a [`Listing`]. `Debug` omits the key, because the key of a pending login is its
/// `state`.
#[derive(Clone, Eq, PartialEq)]
pub struct Listed {
    /// Key of the record.
    pub key: String,
    /// Version of the record.
    pub version: Version,
    /// Expiry of the record.
    pub expires_at: Option<UnixTime>,
}

/// The value of a record. `Debug` prints only the length, because the value holds tokens and keys.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct SecretBytes(pub Bytes);

/// A value in a store with its version and expiry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// The value.
    pub value: SecretBytes,
    /// Version of the record, which changes with each write.
    pub version: Version,
    /// Time after which the store may drop the record; `None` for never. The reader judges it.
    pub expires_at: Option<UnixTime>,
}

/// Identifies one write of one record.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version(pub u64);

/// Condition of a write or removal on the present record under its key (compare-and-set).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "every store must honour each of them")]
pub enum Expect {
    /// There is no record.
    Absent,
    /// There is a record, and its version is this one.
    Version(Version),
    /// No condition: the operation happens whether or not there is a record.
    Any,
}

/// Reply to a [`StoreOperation::Save`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a machine must decide on each of them")]
pub enum Saved {
    /// The record was written and has this version.
    As(Version),
    /// The record was not written, because the present record is not as expected.
    Conflict,
}

/// Reply to a [`StoreOperation::Delete`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a machine must decide on each of them")]
pub enum Deleted {
    /// There is no record under the key any more.
    Yes,
    /// The record was not removed, because the present record is not as expected.
    Conflict,
}

/// Error of an operation on a store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreError {
    /// The class of the error.
    pub kind: StoreErrorKind,
    /// Whether the store may have applied the write or removal all the same.
    pub maybe_applied: bool,
    /// Description of the failure for a log: lower case, no key, no value, no final full stop.
    pub detail: String,
}

/// The class of a [`StoreError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store can't be reached, failed, or did not answer in time. The same operation may succeed
    /// later.
    Unavailable,
    /// The stored value is damaged, or was sealed by a key that is not known. The store keeps it.
    Unreadable,
    /// The key or the value is larger than the store accepts. Nothing was stored.
    TooLarge,
    /// The key, the prefix or the position of a listing is malformed. Nothing was stored.
    Invalid,
    /// The store is not set up as it must be, for example without its table.
    Misconfigured,
    /// The driver has no store.
    Unsupported,
}

impl StoreError {
    /// An operation that failed, and that the store has not applied.
    pub fn new(kind: StoreErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, maybe_applied: false, detail: detail.into() }
    }

    /// An operation without an answer, which the store may have applied.
    pub fn maybe_applied(detail: impl Into<String>) -> Self {
        let kind = StoreErrorKind::Unavailable;
        Self { kind, maybe_applied: true, detail: detail.into() }
    }

    /// Whether the same operation may succeed later.
    pub fn is_transient(&self) -> bool {
        self.kind == StoreErrorKind::Unavailable
    }
}

/// The error of a call that the engine or the driver answered in place of the store.
impl From<TransportError> for StoreError {
    fn from(error: TransportError) -> Self {
        let maybe_applied = !error.surely_not_sent();
        let kind = match error.phase {
            Phase::Unsupported => StoreErrorKind::Unsupported,
            Phase::TooLarge => StoreErrorKind::TooLarge,
            _ => StoreErrorKind::Unavailable,
        };
        Self { kind, maybe_applied, detail: error.detail }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable if self.maybe_applied => {
                "the store gave no answer, and may have applied the operation: "
            }
            StoreErrorKind::Unavailable => "the store is not available: ",
            StoreErrorKind::Unreadable => "the stored record can't be read: ",
            StoreErrorKind::TooLarge => "the record is too large for the store: ",
            StoreErrorKind::Invalid => "the request to the store is malformed: ",
            StoreErrorKind::Misconfigured => "the store is not set up: ",
            StoreErrorKind::Unsupported => "there is no store: ",
        })?;
        f.write_str(&self.detail)
    }
}

impl std::error::Error for StoreError {}

impl StoreCall {
    /// Replies with `error`, whatever operation this is.
    pub fn fail(self, error: StoreError) -> Reply {
        match self.operation {
            StoreOperation::Load { respond, .. } => respond.with(Err(error)),
            StoreOperation::Save { respond, .. } => respond.with(Err(error)),
            StoreOperation::Delete { respond, .. } => respond.with(Err(error)),
            StoreOperation::List { respond, .. } => respond.with(Err(error)),
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        match &self.operation {
            StoreOperation::Load { respond, .. } => respond.is_wanted(),
            StoreOperation::Save { respond, .. } => respond.is_wanted(),
            StoreOperation::Delete { respond, .. } => respond.is_wanted(),
            StoreOperation::List { respond, .. } => respond.is_wanted(),
        }
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing")
            .field("entries", &self.entries)
            .field("is_last", &self.next.is_none())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listed")
            .field("version", &self.version)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StoreCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreCall")
            .field("operation", &self.operation)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Prints no key and no value, because the key of a pending login is its `state`.
impl fmt::Debug for StoreOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, respond): (_, &dyn fmt::Debug) = match self {
            Self::Load { respond, .. } => ("Load", respond),
            Self::Save { respond, .. } => ("Save", respond),
            Self::Delete { respond, .. } => ("Delete", respond),
            Self::List { respond, .. } => ("List", respond),
        };
        f.debug_struct(name).field("respond", respond).finish_non_exhaustive()
    }
}
