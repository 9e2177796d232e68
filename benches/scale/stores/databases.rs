//! Stores in database servers. `tests/databases/run` starts servers and sets the variables with their addresses.

use std::sync::Arc;

use atproto_oauth_store::{
    Blocking, DatabaseOptions, MysqlStore, PostgresStore, RedisStore, Store,
};

use crate::{WRITERS, fill};

/// The stores whose variable is set, with `count` records each.
pub(crate) fn with(count: usize) -> Vec<(&'static str, Arc<dyn Store>)> {
    let options = DatabaseOptions::new().namespace(format!("sessions_{count}"));
    let mut stores: Vec<(_, Arc<dyn Store>)> = Vec::new();
    if let Ok(url) = std::env::var("ATPROTO_STORE_POSTGRES") {
        let options = options.clone();
        let connect = async move { PostgresStore::connect_with(&url, &options).await };
        let store = Blocking::open(connect).unwrap();
        store.run(async |store| store.create_schema().await).unwrap();
        stores.push(("PostgreSQL", Arc::new(store)));
    }
    if let Ok(url) = std::env::var("ATPROTO_STORE_MYSQL") {
        let options = options.clone();
        let connect = async move { MysqlStore::connect_with(&url, &options).await };
        let store = Blocking::open(connect).unwrap();
        store.run(async |store| store.create_schema().await).unwrap();
        stores.push(("MariaDB", Arc::new(store)));
    }
    if let Ok(url) = std::env::var("ATPROTO_STORE_REDIS") {
        let connect = async move { RedisStore::connect_with(&url, &options).await };
        stores.push(("Redis", Arc::new(Blocking::open(connect).unwrap())));
    }
    for (_, store) in &stores {
        fill(store, count, WRITERS);
    }
    stores
}
