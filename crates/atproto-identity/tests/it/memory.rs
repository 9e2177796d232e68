//! Tests of the cache: lifetime, removal, and checks of cached values.

use std::time::Duration;

use atproto_identity::{DOCUMENTS, Forget, Freshness, HANDLES, Identifier, Resolver};
use atproto_sansio::{Memo, Memory, Moment, Topic};
use bytes::Bytes;

use crate::net::{self, Net, World};

const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const PLC: &str = "https://plc.directory/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const ALL: [&str; 2] =
    ["TXT _atproto.alice.com", "GET https://plc.directory/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"];
const NOTHING: [&str; 0] = [];

fn document(handle: &str) -> String {
    net::document(DID, &format!(r#"["at://{handle}"]"#), "https://pds.com")
}

fn alice() -> Net {
    let net = Net::default().txt("_atproto.alice.com", &[&format!("did={DID}")]);
    net.page(PLC, 200, document("alice.com"))
}

fn by(identifier: &str) -> Identifier {
    identifier.parse().unwrap()
}

/// Keeps a value that never expires.
fn keep(world: &World, topic: Topic, key: &str, value: impl Into<Bytes>) {
    let memo = Memo { value: value.into(), lifetime: Duration::MAX, order: 0 };
    world.memory.put(topic, key, memo, Moment::default());
}

/// Resolves Alice's handle and returns the calls.
fn asked(world: &World, net: &Net, freshness: Freshness) -> Vec<String> {
    let run = world.in_turn(net, Resolver::new().identity(by("alice.com"), freshness));
    run.result.unwrap();
    run.asked
}

#[test]
fn an_answer_is_cached_for_nine_minutes() {
    // Rules A-95, A-96
    let world = World::default();
    assert_eq!(asked(&world, &alice(), Freshness::Fresh), ALL);
    assert_eq!(asked(&world, &alice(), Freshness::Cached), NOTHING);
    assert_eq!(asked(&world, &alice(), Freshness::Fresh), ALL);
    world.elapsed.set(Duration::from_secs(9 * 60 - 1));
    assert_eq!(asked(&world, &alice(), Freshness::Cached), NOTHING);
    world.elapsed.set(Duration::from_secs(9 * 60));
    assert_eq!(asked(&world, &alice(), Freshness::Cached), ALL);
}

#[test]
fn a_removed_value_is_resolved_again() {
    // Rule A-99
    let world = World::default();
    asked(&world, &alice(), Freshness::Fresh);
    let run = world.in_turn(&Net::default(), Forget::new(by(DID)));
    assert_eq!((run.result, run.asked), (Ok(()), Vec::new()));
    assert_eq!(asked(&world, &alice(), Freshness::Cached), ALL[1..]);

    world.in_turn(&Net::default(), Forget::new(by("alice.com"))).result.unwrap();
    assert_eq!(asked(&world, &alice(), Freshness::Cached), ALL);
}

#[test]
fn a_final_error_removes_the_cached_document() {
    let world = World::default();
    asked(&world, &alice(), Freshness::Fresh);
    let resolve = |net: &Net, freshness| {
        world.in_turn(net, Resolver::new().did(DID.parse().unwrap(), freshness)).result
    };
    // A transient error leaves the cached document in place; a final error removes it.
    assert!(resolve(&Net::default().page(PLC, 500, ""), Freshness::Fresh).is_err());
    assert!(resolve(&Net::default(), Freshness::Cached).is_ok());
    assert!(resolve(&Net::default().page(PLC, 410, ""), Freshness::Fresh).is_err());
    assert!(resolve(&Net::default(), Freshness::Cached).is_err());
}

#[test]
fn a_mismatch_with_a_cached_document_removes_it() {
    let world = World::default();
    asked(&world, &alice(), Freshness::Fresh);
    // The cache holds a document from a time when the account had another handle.
    let before = document("before.com");
    keep(&world, DOCUMENTS, DID, before);
    let machine = || Resolver::new().identity(by("alice.com"), Freshness::Cached);
    assert!(world.in_turn(&alice(), machine()).result.is_err());
    assert!(world.in_turn(&alice(), machine()).result.is_ok());
}

#[test]
fn cached_values_pass_the_checks_of_fresh_ones() {
    let world = World::default();
    for (handle, document) in [
        ("did:key:z6Mk", "{}"),
        ("did:web:localhost", r#"{"id":"did:plc:other"}"#),
        ("\u{fffd}", "\u{fffd}"),
        ("", ""),
    ] {
        keep(&world, HANDLES, "alice.com", handle);
        keep(&world, DOCUMENTS, DID, document);
        assert_eq!(asked(&world, &alice(), Freshness::Cached), ALL, "{handle}");
    }
}
