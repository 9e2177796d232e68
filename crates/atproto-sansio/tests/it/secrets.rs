//! Tests: `Debug` prints no secret.

use std::convert::Infallible;
use std::fmt::Debug;
use std::task::Poll;

use atproto_sansio::{
    Body, Call, Cx, Expect, Held, Join, Output, Record, SecretBytes, SecretKey, SecretString,
    Signed, ToSign, TransportError, UnixTime, Version,
};
use bytes::Bytes;
use http::Request;

use crate::support::{Driver, by_fn, echo, get, how};

const SECRET: &str = "hunter2";

/// Checks that `{:?}` and `{:#?}` print the secret neither as text nor as bytes. Returns `{:?}`.
fn redacted(value: &impl Debug) -> String {
    let bytes = SECRET.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>();
    let plain = format!("{value:?}");
    for printed in [&plain, &format!("{value:#?}")] {
        assert!(!printed.contains(SECRET), "{printed}");
        let dense = printed.replace([' ', '\n'], "");
        assert!(!dense.contains(&bytes.join(",")), "{printed}");
    }
    plain
}

#[test]
fn an_http_call_prints_no_header_value_no_query_and_no_body() {
    let mut ticket = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        ticket.get_or_insert_with(|| {
            let request = Request::post("https://peer.example.net/path?code=hunter2")
                .header("authorization", SECRET)
                .body(Body::Bytes(SECRET.into()))
                .unwrap();
            cx.http(request, how())
        });
        Poll::<Result<(), TransportError>>::Pending
    }));
    let output = driver.poll();
    let printed = redacted(&output);
    for part in ["POST", "peer.example.net", "/path", "\"authorization\""] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
    redacted(&driver.flow);
    let Output::Call(call) = output else { unreachable!("the flow hands out a call") };
    redacted(&call.unsupported());
}

#[test]
fn a_body_prints_its_length() {
    assert_eq!(redacted(&Body::Bytes(SECRET.into())), "Bytes(7 bytes)");
    assert_eq!(redacted(&Body::Attached), "Attached");
}

#[test]
fn secrets_print_their_name() {
    assert_eq!(redacted(&SecretString::new(SECRET)), "SecretString(..)");
    assert_eq!(redacted(&SecretKey::new([b'h'; 32])), "SecretKey(..)");
    assert_eq!(redacted(&SecretBytes(SECRET.into())), "SecretBytes(7 bytes)");
    assert_eq!(SecretString::new(SECRET).expose(), SECRET);
    assert_eq!(SecretKey::new([7; 32]).expose(), &[7; 32]);
}

#[test]
fn records_and_store_calls_print_no_value() {
    let value = SecretBytes(Bytes::from_static(SECRET.as_bytes()));
    let record = Record { value: value.clone(), version: Version(1), expires_at: None };
    assert!(redacted(&record).contains("Version(1)"));
    let mut ticket = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        ticket.get_or_insert_with(|| {
            let expires_at = Some(UnixTime::from_secs(1));
            // The key of a pending login is its `state`.
            cx.save(SECRET.to_owned(), value.clone(), Expect::Absent, expires_at)
        });
        Poll::<Result<(), TransportError>>::Pending
    }));
    assert!(redacted(&driver.call()).contains("Save"));
}

#[test]
fn messages_and_signatures_and_shared_results_are_not_printed() {
    let message = SECRET.as_bytes().to_vec();
    redacted(&Signed { message: &message, signature: &[b'h'; 64] });
    redacted(&ToSign { key_id: "id".to_owned(), message });
    let mut ticket = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        ticket.get_or_insert_with(|| {
            let work = by_fn(|_: &mut Cx<'_>| Poll::Ready(Ok::<_, Infallible>(SECRET)));
            cx.shared(SECRET.to_owned(), work)
        });
        Poll::<Result<(), TransportError>>::Pending
    }));
    let Call::Shared(call) = driver.call() else { unreachable!("the flow hands out the call") };
    redacted(&call);
}

#[test]
fn replies_and_kept_results_print_no_value() {
    let mut held = Held::new(get(SECRET));
    let mut printed = Vec::new();
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        printed.push(redacted(&held));
        if !held.advance(cx) {
            return Poll::Pending;
        }
        printed.push(redacted(&held));
        held.take();
        printed.push(redacted(&held));
        Poll::Ready(Ok::<_, TransportError>(()))
    }));
    let reply = echo(driver.call());
    redacted(&reply);
    driver.flow.handle_reply(reply);
    driver.end().unwrap();
    drop(driver);
    printed.dedup();
    assert_eq!(printed, ["Held(running)", "Held(ended)", "Held(taken)"]);
    redacted(&Join::new(get(SECRET), get(SECRET)));
}

#[cfg(feature = "std")]
#[test]
fn a_memory_and_a_system_print_no_cached_value() {
    use atproto_sansio::{MapMemory, Memo, Memory, Moment, System, Topic};

    let memory = MapMemory::default();
    let topic = Topic::new("session", 1, 1000).secret();
    let memo = Memo { value: SECRET.into(), lifetime: std::time::Duration::MAX, order: 0 };
    redacted(&memo);
    memory.put(topic, "key", memo, Moment::default());
    redacted(&memory);
    let memory = std::sync::Arc::new(memory);
    redacted(&System::new(crate::support::NoKeys).with_memory(memory));
}
