//! `RedisStore`.

use std::time::Duration;

use atproto_oauth_store::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use atproto_oauth_store::redis::{Client, cmd};
use atproto_oauth_store::{
    AsyncStore, Blocking, Deleted, Expect, RedisStore, Saved, StoreErrorKind, UnixTime, conformance,
};

use super::{
    SWEPT, address, dead, fill, impatient, is_misconfigured, keys, options, save, shows_no_address,
};
use crate::value;

const VARIABLE: &str = "ATPROTO_STORE_REDIS";

async fn manager(address: &str) -> ConnectionManager {
    let config = ConnectionManagerConfig::new().set_response_timeout(Some(Duration::from_secs(20)));
    let client = Client::open(address).unwrap();
    ConnectionManager::new_with_config(client, config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checks_pass() {
    let Some(address) = address(VARIABLE) else { return };
    let store = RedisStore::connect_with(&address, &options("checks")).await.unwrap();
    conformance::run_async(&store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_add_up() {
    let Some(address) = address(VARIABLE) else { return };
    let opened = RedisStore::connect_with(&address, &options("processes")).await.unwrap();
    let open = async |_: &str| opened;
    let test = "databases::redis::processes_add_up";
    conformance::processes_async(test, "", open).await.unwrap();
}

#[test]
fn the_blocking_store_passes_the_checks() {
    let Some(address) = address(VARIABLE) else { return };
    let open = async move { RedisStore::connect_with(&address, &options("blocking")).await };
    conformance::run(&Blocking::open(open).unwrap()).unwrap();
}

#[tokio::test]
async fn a_sweep_removes_expired_records_only() {
    let Some(address) = address(VARIABLE) else { return };
    let store = RedisStore::connect_with(&address, &options("sweep")).await.unwrap();
    fill(&store).await;
    assert_eq!(store.sweep(UnixTime::from_secs(100)).await, Ok(700));
    assert_eq!(keys(&store).await, SWEPT);
}

/// The indices have no member without a record.
#[tokio::test]
async fn nothing_is_left_behind() {
    let Some(address) = address(VARIABLE) else { return };
    let store = RedisStore::connect_with(&address, &options("left")).await.unwrap();
    for number in 0..5 {
        save(&store, &format!("state/{number}"), Some(number)).await;
    }
    let Saved::As(version) = save(&store, "state/4", Some(9)).await else { panic!("a conflict") };
    assert_eq!(store.sweep(UnixTime::from_secs(3)).await, Ok(3));
    assert_eq!(store.delete("state/3", Expect::Any).await, Ok(Deleted::Yes));
    assert_eq!(store.delete("state/4", Expect::Version(version)).await, Ok(Deleted::Yes));
    let mut connection = manager(&address).await;
    let left: Vec<String> =
        cmd("KEYS").arg("{test_left}*").query_async(&mut connection).await.unwrap();
    assert_eq!(left, [""; 0]);
}

#[tokio::test]
async fn a_server_that_may_lose_writes_is_refused() {
    let Some(address) = address("ATPROTO_STORE_REDIS_RELAXED") else { return };
    let error = RedisStore::connect(&address).await.unwrap_err();
    is_misconfigured(&error, "`appendfsync always`", &address);
    RedisStore::connect_with(&address, &options("weak").relaxed()).await.unwrap();

    let mut connection = manager(&address).await;
    let password = address.split([':', '@']).find(|part| part.starts_with("pass-")).unwrap();
    let mut user = cmd("ACL");
    user.arg("SETUSER").arg("silent").arg("on").arg(format!(">{password}"));
    user.arg("~*").arg("+@all").arg("-config").exec_async(&mut connection).await.unwrap();
    let silent = address.replace("://:", "://silent:");
    let error = RedisStore::connect(&silent).await.unwrap_err();
    is_misconfigured(&error, "does not tell its setting", &address);
    RedisStore::connect_with(&silent, &options("silent").relaxed()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let Some(address) = address(VARIABLE) else { return };
    let error = RedisStore::connect_with(&dead(&address), &options("dead")).await.unwrap_err();
    assert_eq!((error.kind, error.maybe_applied), (StoreErrorKind::Unavailable, false), "{error}");
    shows_no_address(&error, &address);
}

#[tokio::test]
async fn a_wrong_password_is_an_error_of_the_set_up() {
    let Some(address) = address(VARIABLE) else { return };
    let wrong = address.replace("pass-", "pass-pass-");
    let error = RedisStore::connect(&wrong).await.unwrap_err();
    is_misconfigured(&error, "the password", &address);
}

/// The server pauses writes, so that it does not answer. After that, the store works.
#[tokio::test]
async fn a_write_without_answer_may_be_applied() {
    let Some(address) = address("ATPROTO_STORE_REDIS_RELAXED") else { return };
    let store = RedisStore::connect_with(&address, &impatient("paused").relaxed()).await.unwrap();
    save(&store, "a", None).await;

    let mut connection = manager(&address).await;
    cmd("CLIENT").arg("PAUSE").arg(1500).arg("WRITE").exec_async(&mut connection).await.unwrap();
    let error = store.save("a", &value(b"2"), Expect::Any, None).await.unwrap_err();
    assert!(error.maybe_applied, "{error}");
    assert!(error.detail.contains("within 500ms"), "{error}");

    tokio::time::sleep(Duration::from_millis(1500)).await;
    save(&store, "b", None).await;
    assert_eq!(keys(&store).await, ["a", "b"]);
}

#[tokio::test]
async fn a_connection_of_the_program_is_used() {
    let Some(address) = address(VARIABLE) else { return };
    let store =
        RedisStore::with_connection(manager(&address).await, &options("own")).await.unwrap();
    save(&store, "a", None).await;
    assert_eq!(store.load("a").await.unwrap().unwrap().value, value(b"a"));
}

#[cfg(feature = "sealed")]
#[tokio::test(flavor = "multi_thread")]
async fn the_sealed_store_passes_the_checks() {
    use atproto_oauth_store::{Sealed, SealingKey, SealingKeys};

    let Some(address) = address(VARIABLE) else { return };
    let keys = SealingKeys::new(SealingKey::generate().unwrap());
    let inner = RedisStore::connect_with(&address, &options("sealed")).await.unwrap();
    conformance::run_async(&Sealed::new(inner, keys)).await.unwrap();
}
