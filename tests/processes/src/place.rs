//! The stores that processes share, and their addresses.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(feature = "mysql")]
use atproto_oauth_store::MysqlStore;
#[cfg(feature = "postgres")]
use atproto_oauth_store::PostgresStore;
#[cfg(feature = "redis")]
use atproto_oauth_store::RedisStore;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
use atproto_oauth_store::{Blocking, DatabaseOptions};
use atproto_oauth_store::{FileStore, SqliteStore, Store, StoreError};
use serde::{Deserialize, Serialize};

/// A store by its address.
#[derive(Clone, Deserialize, Serialize)]
pub enum Place {
    /// A folder.
    File(PathBuf),
    /// A database file.
    Sqlite(PathBuf),
    /// URL of a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Postgres(String),
    /// URL of a MySQL or MariaDB server.
    #[cfg(feature = "mysql")]
    Mysql(String),
    /// URL of a Redis or Valkey server.
    #[cfg(feature = "redis")]
    Redis(String),
}

impl Place {
    /// The store for a blocking program.
    pub(crate) fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::File(path) => Arc::new(FileStore::open(path)?),
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path)?),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => {
                let url = url.clone();
                Arc::new(Blocking::open(async move { postgres(&url).await })?)
            }
            #[cfg(feature = "mysql")]
            Self::Mysql(url) => {
                let url = url.clone();
                Arc::new(Blocking::open(async move { mysql(&url).await })?)
            }
            #[cfg(feature = "redis")]
            Self::Redis(url) => {
                let url = url.clone();
                Arc::new(Blocking::open(async move { redis(&url).await })?)
            }
        })
    }
}

#[cfg(feature = "postgres")]
pub(crate) async fn postgres(url: &str) -> Result<PostgresStore, StoreError> {
    let store = PostgresStore::connect_with(url, &options()).await?;
    store.create_schema().await?;
    Ok(store)
}

#[cfg(feature = "mysql")]
pub(crate) async fn mysql(url: &str) -> Result<MysqlStore, StoreError> {
    let store = MysqlStore::connect_with(url, &options()).await?;
    store.create_schema().await?;
    Ok(store)
}

#[cfg(feature = "redis")]
pub(crate) async fn redis(url: &str) -> Result<RedisStore, StoreError> {
    RedisStore::connect_with(url, &options()).await
}

/// Few connections for each process, because a server has a limit for all.
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
fn options() -> DatabaseOptions {
    DatabaseOptions::new().namespace("test_of_processes").max_connections(4)
}

/// The kind of the store, without its address.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File(_) => "file",
            Self::Sqlite(_) => "sqlite",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "postgres",
            #[cfg(feature = "mysql")]
            Self::Mysql(_) => "mysql",
            #[cfg(feature = "redis")]
            Self::Redis(_) => "redis",
        })
    }
}
