//! The stores in database servers. `tests/databases/run` starts the servers and sets the variables.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;

use std::time::Duration;

use atproto_oauth_store::{
    AsyncStore, DatabaseOptions, Expect, Saved, StoreError, StoreErrorKind, UnixTime,
};

use crate::value;

/// The address of a server. Without the variable, the test says that it is skipped.
fn address(variable: &str) -> Option<String> {
    let address = std::env::var(variable).ok();
    if address.is_none() {
        eprintln!("skipped: `{variable}` is not set; run tests/databases/run");
    }
    address
}

/// Options with a namespace of the test's own.
fn options(test: &str) -> DatabaseOptions {
    DatabaseOptions::new().namespace(format!("test_{test}"))
}

fn impatient(test: &str) -> DatabaseOptions {
    options(test).time_limit(Duration::from_millis(500))
}

async fn save(store: &impl AsyncStore, key: &str, expiry: Option<u64>) -> Saved {
    let expiry = expiry.map(UnixTime::from_secs);
    store.save(key, &value(key.as_bytes()), Expect::Any, expiry).await.unwrap()
}

async fn keys(store: &impl AsyncStore) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = store.list("", after.as_deref()).await.unwrap();
        keys.extend(page.entries.into_iter().map(|entry| entry.key));
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
}

/// Saves keys with and without expiry, for a sweep at 100 that removes the 700 in front of it.
async fn fill(store: &impl AsyncStore) {
    for number in 0..700 {
        save(store, &format!("state/{number}"), Some(number % 100)).await;
    }
    save(store, "state/at", Some(100)).await;
    save(store, "state/after", Some(101)).await;
    save(store, "session/never", None).await;
    // A record that is saved again has its last expiry.
    save(store, "session/extended", Some(50)).await;
    save(store, "session/extended", None).await;
}

const SWEPT: [&str; 4] = ["session/extended", "session/never", "state/after", "state/at"];

/// An error for the person who sets the store up: it says `hint`, and nothing of the address.
#[track_caller]
fn is_misconfigured(error: &StoreError, hint: &str, address: &str) {
    assert_eq!(error.kind, StoreErrorKind::Misconfigured, "{error}");
    assert!(!error.maybe_applied);
    assert!(error.detail.contains(hint), "{error}");
    shows_no_address(error, address);
}

#[track_caller]
fn shows_no_address(error: &StoreError, address: &str) {
    let password = address.split([':', '@']).find(|part| part.starts_with("pass-")).unwrap();
    let text = format!("{error} {error:?}");
    assert!(!text.contains(password) && !text.contains("127.0.0.1"), "{text}");
}

/// The same address with another port, on which nothing listens.
fn dead(address: &str) -> String {
    let (front, back) = address.rsplit_once(':').unwrap();
    let (_, path) = back.split_once('/').unwrap();
    format!("{front}:1/{path}")
}
