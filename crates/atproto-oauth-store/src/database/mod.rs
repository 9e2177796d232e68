//! Stores in database servers: PostgreSQL, MySQL or MariaDB, Redis or Valkey.

mod deadline;
#[cfg(feature = "mysql")]
pub(crate) mod mysql;
mod options;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod sql;

pub use options::DatabaseOptions;

use atproto_sansio::{StoreError, StoreErrorKind, UnixTime};

/// Table or namespace, unless the program chooses another.
const DEFAULT_NAMESPACE: &str = "atproto_oauth_records";

/// Number of records that one statement of a sweep removes at most.
const SWEEP: u64 = 500;

fn misconfigured(detail: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, detail)
}

fn unavailable(detail: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, detail)
}

fn unreadable(detail: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unreadable, detail)
}

fn key_text(key: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(key).map_err(|_| {
        unreadable("a key is not UTF-8, so another program wrote it; remove its row or member")
    })
}

/// Whole seconds of a time, as a number that fits a column of 64 bits with a sign.
fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// The end of the range of keys that begin with `prefix`: the character after its last `/`, or a byte
/// that is in no key.
fn end_of(prefix: &str) -> Vec<u8> {
    prefix.strip_suffix('/').map_or_else(|| vec![0xff], |segments| format!("{segments}0").into())
}
