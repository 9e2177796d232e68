//! What is remembered, for how long, and how it is forgotten.

use std::time::Duration;

use atproto_identity::{DOCUMENTS, Forget, Freshness, HANDLES, Identifier, Resolver};
use atproto_sansio::Memory;
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

/// What is asked to resolve Alice's handle.
fn asked(world: &World, net: &Net, freshness: Freshness) -> Vec<String> {
    let run = world.in_turn(net, Resolver::new().identity(by("alice.com"), freshness));
    run.result.unwrap();
    run.asked
}

#[test]
fn an_answer_serves_for_nine_minutes() {
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
fn what_is_forgotten_is_asked_anew() {
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
fn a_failure_for_good_is_remembered_by_forgetting() {
    let world = World::default();
    asked(&world, &alice(), Freshness::Fresh);
    let resolve = |net: &Net, freshness| {
        world.in_turn(net, Resolver::new().did(DID.parse().unwrap(), freshness)).result
    };
    // A directory that blinks takes nothing away.
    assert!(resolve(&Net::default().page(PLC, 500, ""), Freshness::Fresh).is_err());
    assert!(resolve(&Net::default(), Freshness::Cached).is_ok());
    assert!(resolve(&Net::default().page(PLC, 410, ""), Freshness::Fresh).is_err());
    assert!(resolve(&Net::default(), Freshness::Cached).is_err());
}

#[test]
fn an_old_memory_does_not_keep_a_new_handle_out() {
    let world = World::default();
    asked(&world, &alice(), Freshness::Fresh);
    // The account takes another handle, and then its first one again.
    let before = document("before.com");
    world.memory.put(DOCUMENTS, DID, Bytes::from(before), Duration::MAX);
    let machine = || Resolver::new().identity(by("alice.com"), Freshness::Cached);
    assert!(world.in_turn(&alice(), machine()).result.is_err());
    assert!(world.in_turn(&alice(), machine()).result.is_ok());
}

#[test]
fn what_is_remembered_is_checked_like_news() {
    let world = World::default();
    for (handle, document) in [
        ("did:key:z6Mk", "{}"),
        ("did:web:localhost", r#"{"id":"did:plc:other"}"#),
        ("\u{fffd}", "\u{fffd}"),
        ("", ""),
    ] {
        world.memory.put(HANDLES, "alice.com", Bytes::from(handle), Duration::MAX);
        world.memory.put(DOCUMENTS, DID, Bytes::from(document), Duration::MAX);
        assert_eq!(asked(&world, &alice(), Freshness::Cached), ALL, "{handle}");
    }
}
