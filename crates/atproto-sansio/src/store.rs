//! Calls to a record store: versioned records under string keys, changed by compare-and-set.

use std::fmt;

use bytes::Bytes;

use crate::call::{Reply, Respond};
use crate::error::TransportError;
use crate::time::UnixTime;

/// One operation on a record store.
///
/// `save` and `delete` are linearizable per key; a version is never used again, not even after a
/// delete. A failure with [`Phase::MaybeSent`](crate::Phase::MaybeSent) may have been applied.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "every store performs all of them")]
#[must_use = "a call that is never answered leaves its flow waiting"]
pub enum StoreCall {
    /// Reads the record under `key`; it may be a stale one.
    Load {
        /// The key.
        key: String,
        /// The right to answer, without a record if there is none or it has expired.
        respond: Respond<Option<Record>>,
    },
    /// Writes the record under `key` if what is there is as expected.
    Save {
        /// The key.
        key: String,
        /// The new value.
        value: SecretBytes,
        /// What must be there.
        expect: Expect,
        /// When the record may be dropped.
        expires_at: Option<UnixTime>,
        /// The right to answer.
        respond: Respond<Saved>,
    },
    /// Removes the record under `key` if what is there is as expected.
    Delete {
        /// The key.
        key: String,
        /// What must be there.
        expect: Expect,
        /// The right to answer.
        respond: Respond<Deleted>,
    },
    /// Lists the keys that begin with `prefix`.
    List {
        /// The prefix.
        prefix: String,
        /// The right to answer.
        respond: Respond<Vec<String>>,
    },
}

/// The value of a record: redacted in `Debug`, since it holds tokens and keys.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct SecretBytes(pub Bytes);

/// What a store holds under a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// The value.
    pub value: SecretBytes,
    /// Changes with each write.
    pub version: Version,
    /// When the record may be dropped.
    pub expires_at: Option<UnixTime>,
}

/// Names one write of one record.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version(pub u64);

/// What must be under a key for a write to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "every store must honour each of them")]
pub enum Expect {
    /// No record.
    Absent,
    /// The record of this version.
    Version(Version),
    /// Anything.
    Any,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a machine must decide on each of them")]
pub enum Saved {
    /// Written, as this version.
    As(Version),
    /// Not written: something else was there.
    Conflict,
}

/// How a removal ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a machine must decide on each of them")]
pub enum Deleted {
    /// The record is gone.
    Yes,
    /// Not removed: something else was there.
    Conflict,
}

impl StoreCall {
    pub(crate) fn fail(self, error: TransportError) -> Reply {
        match self {
            Self::Load { respond, .. } => respond.with(Err(error)),
            Self::Save { respond, .. } => respond.with(Err(error)),
            Self::Delete { respond, .. } => respond.with(Err(error)),
            Self::List { respond, .. } => respond.with(Err(error)),
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        match self {
            Self::Load { respond, .. } => respond.is_wanted(),
            Self::Save { respond, .. } => respond.is_wanted(),
            Self::Delete { respond, .. } => respond.is_wanted(),
            Self::List { respond, .. } => respond.is_wanted(),
        }
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}
