//! Tests of `MapMemory` and of the blocking driver `drive`.

use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{
    Call, Cx, Flow, Join, MapMemory, Memory, Output, System, Topic, TransportError, drive,
};
use bytes::Bytes;

use crate::support::{NoKeys, by_fn, echo, get, lost, lost_by_peer, name};

const TOPIC: Topic = Topic { name: "topic", capacity: 2 };

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn put(memory: &MapMemory, topic: Topic, key: &'static str, expires: u64) {
    memory.put(topic, key, Bytes::from_static(key.as_bytes()), at(expires));
}

fn kept(memory: &MapMemory, topic: Topic, keys: &[&'static str]) -> Vec<&'static str> {
    keys.iter().copied().filter(|key| memory.get(topic, key, at(0)).is_some()).collect()
}

#[test]
fn a_value_is_kept_until_it_expires() {
    let memory = MapMemory::default();
    put(&memory, TOPIC, "key", 10);
    assert_eq!(memory.get(TOPIC, "key", at(9)).unwrap(), "key");
    assert_eq!(memory.get(TOPIC, "key", at(10)), None);
    assert_eq!(memory.get(TOPIC, "other", at(0)), None);
}

#[test]
fn a_value_can_be_replaced_and_forgotten() {
    let memory = MapMemory::default();
    put(&memory, TOPIC, "key", 10);
    memory.put(TOPIC, "key", Bytes::from_static(b"new"), at(20));
    assert_eq!(memory.get(TOPIC, "key", at(15)).unwrap(), "new");
    memory.forget(TOPIC, "key");
    memory.forget(TOPIC, "never known");
    assert_eq!(memory.get(TOPIC, "key", at(0)), None);
}

#[test]
fn a_full_topic_drops_the_value_that_expires_first() {
    let memory = MapMemory::default();
    put(&memory, TOPIC, "a", 30);
    put(&memory, TOPIC, "b", 20);
    put(&memory, TOPIC, "c", 10);
    assert_eq!(kept(&memory, TOPIC, &["a", "b", "c"]), ["a", "c"]);
    put(&memory, TOPIC, "a", 5);
    assert_eq!(kept(&memory, TOPIC, &["a", "b", "c"]), ["a", "c"], "replacing needs no room");
}

#[test]
fn each_topic_has_its_own_bound() {
    let memory = MapMemory::default();
    let other = Topic { name: "other", capacity: 1 };
    for key in ["a", "b"] {
        put(&memory, TOPIC, key, 10);
        put(&memory, other, key, 10);
    }
    assert_eq!(kept(&memory, TOPIC, &["a", "b"]), ["a", "b"]);
    assert_eq!(kept(&memory, other, &["a", "b"]), ["b"]);
}

#[test]
fn a_topic_without_room_keeps_nothing() {
    let memory = MapMemory::default();
    let none = Topic { name: "none", capacity: 0 };
    put(&memory, none, "a", 10);
    assert_eq!(memory.get(none, "a", at(0)), None);
}

#[test]
fn a_lookup_returns_a_clone_that_outlives_the_value() {
    let memory = MapMemory::default();
    put(&memory, TOPIC, "key", 10);
    let value = memory.get(TOPIC, "key", at(0)).unwrap();
    memory.forget(TOPIC, "key");
    put(&memory, TOPIC, "key2", 10);
    assert_eq!(value, "key");
}

#[test]
fn threads_share_a_memory() {
    let memory = MapMemory::default();
    std::thread::scope(|scope| {
        for key in ["a", "b"] {
            let memory = &memory;
            scope.spawn(move || (0..100).for_each(|_| put(memory, TOPIC, key, 10)));
        }
    });
    assert_eq!(kept(&memory, TOPIC, &["a", "b"]), ["a", "b"]);
}

#[test]
fn drive_runs_a_machine_from_beginning_to_end() {
    let mut seen = Vec::new();
    let result = drive(&System::new(NoKeys), Join::new(get("a"), get("b")), |call| {
        seen.push(name(&call));
        echo(call)
    });
    assert_eq!(result.unwrap(), ("a".to_owned(), "b".to_owned()));
    assert_eq!(seen, ["a", "b"]);
}

#[test]
fn drive_ends_with_the_error_of_the_machine() {
    let result = drive(&System::new(NoKeys), get("a"), |call| call.fail(lost()));
    assert_eq!(result.unwrap_err(), lost_by_peer());
}

#[test]
fn drive_can_run_a_shared_machine_in_place() {
    let system = System::new(NoKeys).with_memory(Arc::new(MapMemory::default()));
    let mut ticket = None;
    let asker = by_fn(|cx: &mut Cx<'_>| {
        let ticket = &*ticket.get_or_insert_with(|| {
            cx.shared(
                "once".to_owned(),
                by_fn(|cx: &mut Cx<'_>| {
                    cx.remember(TOPIC, "ran", Bytes::new(), at(60));
                    Poll::Ready(Ok(()))
                }),
            )
        });
        ready!(cx.take(ticket))?;
        Poll::Ready(Ok::<_, TransportError>(cx.recall(TOPIC, "ran").is_some()))
    });
    let ran = drive(&system, asker, |call| {
        let Call::Shared(call) = call else { return echo(call) };
        let Ok(()) = drive(&system, call.machine, echo);
        call.respond.with(Ok(()))
    });
    assert!(ran.unwrap());
}

#[test]
fn clones_of_a_system_share_its_memory() {
    let system = System::new(NoKeys);
    let mut put = Flow::new(by_fn(|cx: &mut Cx<'_>| {
        cx.remember(TOPIC, "key", Bytes::from_static(b"value"), at(60));
        cx.remember(TOPIC, "gone", Bytes::new(), at(60));
        cx.forget(TOPIC, "gone");
        Poll::Ready(Ok::<_, TransportError>(()))
    }));
    assert!(matches!(system.clone().poll(&mut put), Output::Done(Ok(()))));
    let recall = by_fn(|cx: &mut Cx<'_>| {
        Poll::Ready(Ok::<_, TransportError>([cx.recall(TOPIC, "key"), cx.recall(TOPIC, "gone")]))
    });
    let found = drive(&system, recall, echo).unwrap();
    assert_eq!(found, [Some(Bytes::from_static(b"value")), None]);
}
