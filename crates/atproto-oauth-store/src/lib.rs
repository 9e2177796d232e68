#![doc = include_str!("../README.md")]

mod arc;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
mod blocking;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
mod database;
#[cfg(all(feature = "file", any(unix, windows)))]
mod file;
mod key;
mod memory;
mod record;
#[cfg(feature = "sealed")]
mod sealed;
mod secret_file;
mod split;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use atproto_sansio::{
    Deleted, Expect, Listed, Listing, Record, Saved, SecretBytes, StoreError, StoreErrorKind,
    UnixTime, Version,
};
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
pub use blocking::Blocking;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
pub use database::DatabaseOptions;
#[cfg(feature = "mysql")]
pub use database::mysql::MysqlStore;
#[cfg(feature = "postgres")]
pub use database::postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use database::redis::RedisStore;
#[cfg(all(feature = "file", any(unix, windows)))]
pub use file::FileStore;
pub use key::{MAX_KEY_BYTES, MAX_SEGMENTS, MAX_VALUE_BYTES, check_key, check_prefix, check_value};
pub use memory::MemoryStore;
pub use record::{is_met, new_version};
#[cfg(feature = "redis")]
pub use redis;
#[cfg(feature = "sqlite")]
pub use rusqlite;
#[cfg(feature = "sealed")]
pub use sealed::{Reencrypted, Sealed, SealingKey, SealingKeys};
pub use secret_file::secret_file;
pub use split::Split;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub use sqlx;
pub use store::{AsyncStore, Store};
