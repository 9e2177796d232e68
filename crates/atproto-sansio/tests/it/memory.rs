//! Tests of `MapMemory` and of the blocking driver `drive`.

use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{
    Call, Cx, Flow, Join, MapMemory, Memo, Memory, Moment, Output, System, Topic, TransportError,
    UnixTime, drive,
};
use bytes::Bytes;

use crate::support::{NoKeys, by_fn, echo, get, lost, lost_at, name};

const TOPIC: Topic = Topic::new("topic", 2, 1000);

/// The moment `seconds` after the start of both clocks.
fn at(seconds: u64) -> Moment {
    Moment { now: UnixTime::from_secs(1000 + seconds), elapsed: Duration::from_secs(seconds) }
}

fn memo(value: &'static str, lifetime: u64) -> Memo {
    let value = Bytes::from_static(value.as_bytes());
    Memo { value, lifetime: Duration::from_secs(lifetime), order: 0 }
}

fn put(memory: &MapMemory, topic: Topic, key: &'static str, expires: u64) {
    memory.put(topic, key, memo(key, expires), at(0));
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
    memory.put(TOPIC, "key", memo("new", 20), at(0));
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
    let other = Topic::new("other", 1, 1000);
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
    let none = Topic::new("none", 0, 1000);
    put(&memory, none, "a", 10);
    assert_eq!(memory.get(none, "a", at(0)), None);
}

#[test]
fn the_bytes_of_a_topic_are_bounded() {
    let memory = MapMemory::default();
    let small = Topic::new("small", 100, 6);
    memory.put(small, "a", memo("four", 10), at(0));
    memory.put(small, "b", memo("two", 20), at(0));
    assert_eq!(kept(&memory, small, &["a", "b"]), ["b"]);
    memory.put(small, "c", memo("seven..", 30), at(0));
    assert_eq!(kept(&memory, small, &["a", "b", "c"]), ["b"], "a value that never fits");
    memory.put(small, "b", memo("six...", 5), at(0));
    assert_eq!(memory.get(small, "b", at(0)).unwrap(), "six...");
}

#[test]
fn a_value_does_not_keep_the_buffer_that_it_was_read_from() {
    // Rule A-98
    let buffer = Bytes::from(vec![7; 100_000]);
    let body = buffer.slice(500..510);
    let system = System::new(NoKeys);
    let machine = by_fn(|cx: &mut Cx<'_>| {
        let newer = Memo { value: body.clone(), lifetime: Duration::from_secs(10), order: 1 };
        cx.remember(TOPIC, "a", body.clone(), Duration::from_secs(10));
        cx.remember_newer(TOPIC, "b", newer);
        Poll::Ready(Ok::<_, TransportError>(["a", "b"].map(|key| cx.recall(TOPIC, key).unwrap())))
    });
    let kept = drive(&system, machine, echo).unwrap();
    assert_eq!(kept, [&body, &body]);
    drop(body);
    assert!(buffer.is_unique(), "the cache holds all of the buffer");
}

#[test]
fn values_that_have_expired_make_room_first() {
    let memory = MapMemory::default();
    let counted = Topic::new("counted", 100, 8);
    memory.put(counted, "expired", memo("1234", 10), at(0));
    memory.put(counted, "valid", memo("1234", 20), at(0));
    memory.put(counted, "new", memo("1234", 5), at(12));
    assert_eq!(memory.get(counted, "valid", at(12)).unwrap(), "1234");
    assert_eq!(memory.get(counted, "new", at(12)).unwrap(), "1234");
}

#[test]
fn a_value_expires_on_the_clock_that_moves_further() {
    // The monotonic clock of a laptop stands still while the laptop sleeps.
    let memory = MapMemory::default();
    put(&memory, TOPIC, "key", 10);
    let asleep = Moment { elapsed: Duration::from_secs(1), ..at(10) };
    assert_eq!(memory.get(TOPIC, "key", asleep), None);
    let set_back = Moment { now: UnixTime::from_secs(0), ..at(9) };
    assert_eq!(memory.get(TOPIC, "key", set_back).unwrap(), "key");
    let set_back = Moment { now: UnixTime::from_secs(0), ..at(10) };
    assert_eq!(memory.get(TOPIC, "key", set_back), None);
}

#[test]
fn a_newer_value_is_not_replaced_by_an_older_one() {
    let memory = MapMemory::default();
    let ordered = |value, order| Memo { order, ..memo(value, 10) };
    memory.put(TOPIC, "key", ordered("second", 2), at(0));
    memory.put(TOPIC, "key", ordered("first", 1), at(0));
    assert_eq!(memory.get(TOPIC, "key", at(0)).unwrap(), "second");
    memory.put(TOPIC, "key", ordered("again", 2), at(0));
    assert_eq!(memory.get(TOPIC, "key", at(0)).unwrap(), "again");
    memory.put(TOPIC, "key", ordered("after its expiry", 1), at(10));
    assert_eq!(memory.get(TOPIC, "key", at(10)).unwrap(), "after its expiry");
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
    assert_eq!(result.unwrap_err(), lost_at("a"));
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
                    cx.remember(TOPIC, "ran", Bytes::new(), Duration::from_secs(60));
                    Poll::Ready(Ok(()))
                }),
            )
        });
        ready!(cx.take_shared(ticket))?;
        Poll::Ready(Ok::<_, TransportError>(cx.recall(TOPIC, "ran").is_some()))
    });
    let ran = drive(&system, asker, |call| {
        let Call::Shared(call) = call else { return echo(call) };
        let Ok(result) = drive(&system, call.machine, echo);
        call.respond.with(Ok(result))
    });
    assert!(ran.unwrap());
}

#[test]
fn clones_of_a_system_share_its_memory() {
    let system = System::new(NoKeys);
    let mut put = Flow::new(by_fn(|cx: &mut Cx<'_>| {
        cx.remember(TOPIC, "key", Bytes::from_static(b"value"), Duration::from_secs(60));
        cx.remember(TOPIC, "gone", Bytes::new(), Duration::from_secs(60));
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
