//! Tests of the cache: lifetime, removal, and checks of cached values.

use std::convert::Infallible;
use std::task::Poll;
use std::time::Duration;

use atproto_identity::{DOCUMENTS, Freshness, HANDLES, Identifier, Resolver};
use atproto_sansio::{Call, Cx, Flow, Machine, Output, Topic};
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
fn a_fresh_resolution_asks_caches_of_the_network_for_a_fresh_reply() {
    // Rule A-96
    let resolver = || Resolver::new().with_dns_over_https("https://dns.com/query".parse().unwrap());
    let ask = "https://dns.com/query?name=_atproto.alice.com&type=TXT";
    let net = Net::default()
        .page(ask, 200, r#"{"Status":3}"#)
        .redirect("https://alice.com/.well-known/atproto-did", "https://www.alice.com/did")
        .page("https://www.alice.com/did", 200, DID)
        .page(PLC, 200, document("alice.com"));
    for (freshness, expected) in [(Freshness::Fresh, true), (Freshness::Cached, false)] {
        let machine = resolver().identity(by("alice.com"), freshness);
        let mut flow = Flow::new(machine);
        let mut requests = 0;
        let world = World::default();
        loop {
            match world.poll(&mut flow) {
                Output::Call(call) => {
                    if let Call::Http(call) = &call {
                        let header = call.request.headers().get("cache-control");
                        assert_eq!(header.is_some_and(|value| value == "no-cache"), expected);
                        requests += 1;
                    }
                    flow.handle_reply(net.reply(call));
                }
                Output::Wait => unreachable!("every call was answered"),
                Output::Done(result) => break assert!(result.is_ok(), "{result:?}"),
            }
        }
        assert_eq!(requests, 4);
    }
    let did = "did:web:alice.com";
    for (freshness, expected) in [(Freshness::Fresh, true), (Freshness::Cached, false)] {
        let mut flow = Flow::new(Resolver::new().did(did.parse().unwrap(), freshness));
        let Output::Call(Call::Http(call)) = World::default().poll(&mut flow) else {
            unreachable!("a did:web is asked for over HTTP");
        };
        assert_eq!(call.request.headers().contains_key("cache-control"), expected);
    }
}

#[test]
fn a_removed_value_is_resolved_again() {
    // Rule A-99
    let world = World::default();
    asked(&world, &alice(), Freshness::Fresh);
    let run = world.in_turn(&Net::default(), Resolver::new().forget(by(DID)));
    assert_eq!((run.result, run.asked), (Ok(()), Vec::new()));
    assert_eq!(asked(&world, &alice(), Freshness::Cached), ALL[1..]);

    world.in_turn(&Net::default(), Resolver::new().forget(by("alice.com"))).result.unwrap();
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
    // The cache holds a document from a time when the account had another handle.
    let before = alice().page(PLC, 200, document("before.com"));
    let resolve = Resolver::new().did(DID.parse().unwrap(), Freshness::Fresh);
    world.in_turn(&before, resolve).result.unwrap();
    let machine = || Resolver::new().identity(by("alice.com"), Freshness::Cached);
    assert!(world.in_turn(&alice(), machine()).result.is_err());
    assert!(world.in_turn(&alice(), machine()).result.is_ok());
}

/// Machine that caches one value for as long as possible.
struct Remember(Topic, &'static str, Bytes);

impl Machine for Remember {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        cx.remember(self.0, self.1, self.2.clone(), Duration::MAX);
        Poll::Ready(Ok(()))
    }
}

#[test]
fn cached_values_pass_the_checks_of_fresh_ones() {
    let world = World::default();
    let keep = |handle: &str, document: &str| {
        let key = "alice.com production records=driver redirects=5";
        let handle = Remember(HANDLES, key, handle.to_owned().into());
        world.in_turn(&Net::default(), handle).result.unwrap();
        let key = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa production https://plc.directory/";
        let document = Remember(DOCUMENTS, key, document.to_owned().into());
        world.in_turn(&Net::default(), document).result.unwrap();
    };
    keep(DID, &document("alice.com"));
    assert_eq!(asked(&world, &alice(), Freshness::Cached), NOTHING);
    for (handle, document) in [
        ("did:key:z6Mk", "{}"),
        ("did:web:localhost", r#"{"id":"did:plc:other"}"#),
        ("\u{fffd}", "\u{fffd}"),
        ("", ""),
    ] {
        keep(handle, document);
        assert_eq!(asked(&world, &alice(), Freshness::Cached), ALL, "{handle}");
    }
}

#[test]
fn resolvers_with_other_settings_have_caches_of_their_own() {
    // Rule P-17
    let production = Resolver::new;
    let staging = || {
        let directory = "https://plc.staging.example".parse().unwrap();
        production().with_directories([directory])
    };
    let both = || {
        let plc: [_; 2] = ["https://plc.directory", "https://plc.staging.example"];
        production().with_directories(plc.map(|directory| directory.parse().unwrap()))
    };
    let development = || production().development();
    let service = |url: &str| production().with_dns_over_https(url.parse().unwrap());
    let all: [Resolver; 7] = [
        production(),
        staging(),
        both(),
        development(),
        service("https://one.com/query"),
        service("https://two.com/query"),
        production().with_skip_dns_suffixes(["com"]),
    ];
    let net = Net::default()
        .page("https://alice.com/.well-known/atproto-did", 200, DID)
        .page(PLC, 200, document("alice.com"))
        .page(&PLC.replace("plc.directory", "plc.staging.example"), 200, document("alice.com"));
    // The last three have the directory of the first one, so they share its documents.
    let shares_documents = |index: usize| index == 0 || index > 3;
    for (first, filler) in all.iter().enumerate() {
        let world = World::default();
        let identity = |resolver: &Resolver| resolver.identity(by("alice.com"), Freshness::Cached);
        world.in_turn(&net, identity(filler)).result.unwrap();
        for (second, reader) in all.iter().enumerate() {
            if first == second {
                continue;
            }
            let run = world.in_turn(&Net::default(), identity(reader));
            assert!(!run.asked.is_empty(), "{second} was served by the cache of {first}");
            if !(shares_documents(first) && shares_documents(second)) {
                world.in_turn(&Net::default(), reader.forget(by(DID))).result.unwrap();
            }
        }
        let run = world.in_turn(&Net::default(), identity(&filler.clone()));
        assert!(run.asked.is_empty() && run.result.is_ok(), "{first} has lost its cache");
    }
}

#[test]
fn the_document_of_a_did_web_does_not_depend_on_directories() {
    // Rule P-17
    let did = "did:web:alice.com";
    let page = "https://alice.com/.well-known/did.json";
    let net = Net::default().page(page, 200, net::document(did, "[]", "https://pds.com"));
    let world = World::default();
    let machine = |resolver: Resolver| resolver.did(did.parse().unwrap(), Freshness::Cached);
    world.in_turn(&net, machine(Resolver::new())).result.unwrap();
    let other = Resolver::new().with_directories([]);
    assert!(world.in_turn(&Net::default(), machine(other)).result.is_ok());
}
