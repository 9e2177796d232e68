//! Tests of the stores through their public interface.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]
#![allow(missing_docs, reason = "the names of tests describe them")]

mod checks;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
mod databases;
#[cfg(all(feature = "file", unix))]
mod file;
mod memory;
#[cfg(feature = "file")]
mod pooled;
#[cfg(feature = "sealed")]
mod sealed;
mod secret_file;
mod split;
#[cfg(feature = "sqlite")]
mod sqlite;

use atproto_oauth_store::SecretBytes;
#[cfg(any(feature = "file", feature = "sealed", feature = "sqlite"))]
use atproto_oauth_store::{Record, Store};

/// A value of a record.
pub(crate) fn value(bytes: &[u8]) -> SecretBytes {
    SecretBytes(bytes.to_vec().into())
}

/// The record under `key`, which must exist.
#[cfg(any(feature = "file", feature = "sealed", feature = "sqlite"))]
pub(crate) fn loaded(store: &impl Store, key: &str) -> Record {
    store.load(key).unwrap().unwrap()
}
