//! Calls to a record store: versioned records under string keys, changed by compare-and-set.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::call::{Reply, Respond};
use crate::error::TransportError;
use crate::time::UnixTime;

/// One operation on a record store, and its time limit.
#[must_use = "a call that is dropped is answered with `MaybeSent`"]
pub struct StoreCall {
    /// The operation.
    pub operation: StoreOperation,
    /// Time limit of the operation. After it, the driver replies with
    /// [`Phase::TimedOut`](crate::Phase::TimedOut): the store may have applied the operation.
    pub timeout: Duration,
}

/// An operation on a record store, with the right to answer it.
///
/// `Save` and `Delete` are linearizable per key. A store never uses a version again, not even after
/// a delete. If an operation fails with [`Phase::MaybeSent`](crate::Phase::MaybeSent), the store
/// may have applied it.
#[expect(clippy::exhaustive_enums, reason = "every store performs all of them")]
#[must_use = "a call that is dropped is answered with `MaybeSent`"]
pub enum StoreOperation {
    /// Reads the record under `key`. The record may be stale.
    Load {
        /// Key of the record.
        key: String,
        /// The right to answer this call. The reply is `None` if there is no record, or if the
        /// record has expired.
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
    /// Lists the keys that begin with `prefix`.
    List {
        /// Prefix of the keys.
        prefix: String,
        /// The right to answer this call.
        respond: Respond<Vec<String>>,
    },
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
    /// Time after which the store may drop the record; `None` for never.
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

impl StoreCall {
    pub(crate) fn fail(self, error: TransportError) -> Reply {
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
