#![doc = include_str!("../README.md")]

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(all(feature = "file", any(unix, windows)))]
mod file;
mod key;
mod memory;
mod record;
mod split;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use atproto_sansio::{
    Deleted, Expect, Listed, Listing, Record, Saved, SecretBytes, StoreError, StoreErrorKind,
    UnixTime, Version,
};
#[cfg(all(feature = "file", any(unix, windows)))]
pub use file::FileStore;
pub use key::{MAX_KEY_BYTES, MAX_SEGMENTS, MAX_VALUE_BYTES};
pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use rusqlite;
pub use split::Split;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use store::{AsyncStore, Store};
