//! `MysqlStore`.

use atproto_oauth_store::sqlx::mysql::MySqlPoolOptions;
use atproto_oauth_store::sqlx::{self, Connection, MySqlConnection};
use atproto_oauth_store::{
    AsyncStore, Blocking, DatabaseOptions, Expect, MysqlStore, StoreErrorKind, UnixTime,
    conformance,
};

use super::{
    SWEPT, address, dead, fill, impatient, is_misconfigured, keys, options, save, shows_no_address,
};
use crate::value;

const VARIABLE: &str = "ATPROTO_STORE_MYSQL";

async fn store(address: &str, options: &DatabaseOptions) -> MysqlStore {
    let store = MysqlStore::connect_with(address, options).await.unwrap();
    store.create_schema().await.unwrap();
    store
}

async fn execute(address: &str, sql: &'static str) {
    let mut connection = MySqlConnection::connect(address).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checks_pass() {
    let Some(address) = address(VARIABLE) else { return };
    conformance::run_async(&store(&address, &options("checks")).await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_add_up() {
    let Some(address) = address(VARIABLE) else { return };
    let options = options("processes");
    let opened = store(&address, &options).await;
    let open = async |_: &str| opened;
    let test = "databases::mysql::processes_add_up";
    conformance::processes_async(test, "", open).await.unwrap();
}

#[test]
fn the_blocking_store_passes_the_checks() {
    let Some(address) = address(VARIABLE) else { return };
    let open = async move { Ok(store(&address, &options("blocking")).await) };
    let store = Blocking::open(open).unwrap();
    conformance::run(&store).unwrap();
}

/// A blocking store may be used and dropped in a thread of another runtime.
#[tokio::test]
async fn a_blocking_store_works_within_a_runtime() {
    let Some(address) = address(VARIABLE) else { return };
    let open = async move { Ok(store(&address, &options("within")).await) };
    let store = Blocking::open(open).unwrap();
    assert_eq!(store.run(async |store| store.sweep(UnixTime::from_secs(1)).await), Ok(0));
    drop(store);
}

#[cfg(feature = "sealed")]
#[tokio::test(flavor = "multi_thread")]
async fn the_sealed_store_passes_the_checks() {
    use atproto_oauth_store::{Sealed, SealingKey, SealingKeys};

    let Some(address) = address(VARIABLE) else { return };
    let keys = SealingKeys::new(SealingKey::generate().unwrap());
    let store = Sealed::new(store(&address, &options("sealed")).await, keys);
    conformance::run_async(&store).await.unwrap();
}

#[tokio::test]
async fn a_sweep_removes_expired_records_only() {
    let Some(address) = address(VARIABLE) else { return };
    let store = store(&address, &options("sweep")).await;
    fill(&store).await;
    assert_eq!(store.sweep(UnixTime::from_secs(100)).await, Ok(700));
    assert_eq!(keys(&store).await, SWEPT);
}

#[tokio::test]
async fn a_missing_table_names_the_function_that_creates_it() {
    let Some(address) = address(VARIABLE) else { return };
    let store = MysqlStore::connect_with(&address, &options("missing")).await.unwrap();
    is_misconfigured(&store.load("a").await.unwrap_err(), "`create_schema`", &address);
    let error = store.save("a", &value(b"1"), Expect::Absent, None).await.unwrap_err();
    is_misconfigured(&error, "`create_schema`", &address);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_create_the_table() {
    let Some(address) = address(VARIABLE) else { return };
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let address = address.clone();
            tokio::spawn(async move { store(&address, &options("create")).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_has_surely_not_applied() {
    let Some(address) = address(VARIABLE) else { return };
    let relaxed = impatient("dead").relaxed();
    let store = MysqlStore::connect_with(&dead(&address), &relaxed).await.unwrap();
    let error = store.save("a", &value(b"1"), Expect::Any, None).await.unwrap_err();
    assert_eq!((error.kind, error.maybe_applied), (StoreErrorKind::Unavailable, false), "{error}");
    shows_no_address(&error, &address);
}

#[tokio::test]
async fn a_wrong_password_is_an_error_of_the_set_up() {
    let Some(address) = address(VARIABLE) else { return };
    let wrong = address.replace("pass-", "pass-pass-");
    let error = MysqlStore::connect(&wrong).await.unwrap_err();
    is_misconfigured(&error, "check its password", &address);
}

/// Another transaction holds the row, so that the server does not answer. After that, the store works.
#[tokio::test]
async fn a_write_without_answer_may_be_applied() {
    let Some(address) = address(VARIABLE) else { return };
    let store = store(&address, &impatient("locked").max_connections(1)).await;
    save(&store, "a", None).await;

    let mut other = MySqlConnection::connect(&address).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT * FROM test_locked FOR UPDATE").execute(&mut other).await.unwrap();
    let error = store.save("a", &value(b"2"), Expect::Any, None).await.unwrap_err();
    assert!(error.maybe_applied, "{error}");
    assert!(error.detail.contains("within 500ms"), "{error}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();

    save(&store, "b", None).await;
    assert_eq!(keys(&store).await, ["a", "b"]);
}

#[tokio::test]
async fn a_pool_of_the_program_is_used() {
    let Some(address) = address(VARIABLE) else { return };
    let pool = sqlx::MySqlPool::connect(&address).await.unwrap();
    let store = MysqlStore::with_pool(pool.clone(), &options("pool")).await.unwrap();
    store.create_schema().await.unwrap();
    save(&store, "a", None).await;
    pool.close().await;
    let error = store.load("a").await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable);
    assert!(error.detail.contains("closed the pool"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checks_pass_at_every_isolation_level() {
    let Some(address) = address(VARIABLE) else { return };
    for level in ["READ COMMITTED", "SERIALIZABLE"] {
        let set = format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}");
        let pool = MySqlPoolOptions::new()
            .after_connect(move |connection, _| {
                let set = sqlx::AssertSqlSafe(set.clone());
                Box::pin(async move { sqlx::raw_sql(set).execute(connection).await.map(|_| ()) })
            })
            .connect(&address)
            .await
            .unwrap();
        let store = MysqlStore::with_pool(pool, &options("level")).await.unwrap();
        store.create_schema().await.unwrap();
        conformance::run_async(&store).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_may_lose_writes_is_refused() {
    let Some(address) = address(VARIABLE) else { return };
    execute(&address, "CREATE TABLE IF NOT EXISTS test_engine (a int) ENGINE=MyISAM").await;
    let error = MysqlStore::connect_with(&address, &options("engine")).await.unwrap_err();
    is_misconfigured(&error, "`ALTER TABLE … ENGINE=InnoDB`", &address);
    MysqlStore::connect_with(&address, &options("engine").relaxed()).await.unwrap();

    let pool = MySqlPoolOptions::new()
        .after_connect(|connection, _| {
            Box::pin(async {
                sqlx::raw_sql("SET autocommit=0").execute(connection).await.map(|_| ())
            })
        })
        .connect(&address)
        .await
        .unwrap();
    let error = MysqlStore::with_pool(pool, &options("autocommit")).await.unwrap_err();
    is_misconfigured(&error, "`autocommit=0`", &address);
}
