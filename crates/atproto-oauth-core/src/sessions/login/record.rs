//! The record of a pending login in a store.

use atproto_sansio::{Record, SecretBytes, Version as RecordVersion};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::InputError;
use crate::login::pending::Pending;
use crate::sessions::record;
use crate::stored::Version;

/// The record of one login, from its beginning until its callback.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct LoginRecord {
    pub(crate) version: Version<1>,
    pub(crate) pending: Pending,
    /// Hash of the cookie's value; `None` for a login without a binding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) binding: Option<String>,
    /// Random id of the callback that has taken the login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) taken: Option<String>,
    /// Members that a later version of this crate added, kept so that storing loses none.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

impl LoginRecord {
    pub(crate) fn new(pending: Pending, binding: Option<String>) -> Self {
        Self { version: Version, pending, binding, taken: None, unknown: Map::new() }
    }

    /// The value to store.
    pub(crate) fn to_value(&self) -> Result<SecretBytes, InputError> {
        record::to_value("pending login", self)
    }

    /// Reads a record, and returns it with its version.
    pub(crate) fn read(record: &Record) -> Result<(Self, RecordVersion), InputError> {
        Ok((record::read("pending login", record)?, record.version))
    }
}
