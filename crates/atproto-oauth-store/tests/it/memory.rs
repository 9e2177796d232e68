use atproto_oauth_store::{Expect, MemoryStore, Store, UnixTime, conformance};

use crate::value;

#[test]
fn blocking() {
    conformance::run(&MemoryStore::new()).unwrap();
}

#[test]
fn async_without_a_runtime() {
    let store = MemoryStore::new();
    let mut future = std::pin::pin!(conformance::run_async(&store));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(outcome) = future.as_mut().poll(&mut cx) else {
        panic!("a store in memory waits")
    };
    outcome.unwrap();
}

#[test]
fn async_in_a_task_of_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let task = async { conformance::run_async(&MemoryStore::new()).await };
    runtime.block_on(runtime.spawn(task)).unwrap().unwrap();
}

#[test]
fn a_sweep_removes_what_has_expired() {
    let store = MemoryStore::new();
    for (key, expiry) in [("state/a", Some(10)), ("state/b", Some(20)), ("session/a/b", None)] {
        let expiry = expiry.map(UnixTime::from_secs);
        store.save(key, &value(b"1"), Expect::Absent, expiry).unwrap();
    }
    assert_eq!(store.sweep(UnixTime::from_secs(10)), 0);
    assert_eq!(store.sweep(UnixTime::from_secs(11)), 1);
    let keys: Vec<_> =
        store.list("", None).unwrap().entries.into_iter().map(|entry| entry.key).collect();
    assert_eq!(keys, ["session/a/b", "state/b"]);
    assert_eq!(format!("{store:?}"), "MemoryStore { records: 2 }");
}

#[test]
fn a_loaded_value_outlives_its_record() {
    let store = MemoryStore::new();
    store.save("a", &value(b"1"), Expect::Absent, None).unwrap();
    let record = store.load("a").unwrap().unwrap();
    store.save("a", &value(b"2"), Expect::Any, None).unwrap();
    assert_eq!(record.value, value(b"1"));
}
