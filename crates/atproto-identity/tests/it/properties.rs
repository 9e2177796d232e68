//! Property tests of parsers and machines, and tests of machines that are polled after their end.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_identity::{
    Did, DidDocument, Forget, Freshness, Handle, Identifier, ResolveAccount, ResolveDid,
    ResolveHandle, ResolveIdentity, Resolver,
};
use atproto_sansio::{Cx, Flow, Machine, Phase};
use bytes::Bytes;
use proptest::prelude::{any, prop, proptest};

use crate::net::{self, Net, World};

const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const TXT: &str = "TXT _atproto.alice.com";
const URL: &str = "https://alice.com/.well-known/atproto-did";
const PLC: &str = "https://plc.directory/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn machines_and_outputs_move_between_threads() {
    fn movable<T: Send + 'static>() {}
    movable::<Flow<ResolveHandle>>();
    movable::<Flow<ResolveDid>>();
    movable::<Flow<ResolveAccount>>();
    movable::<Flow<ResolveIdentity>>();
    movable::<Flow<Forget>>();
    movable::<atproto_identity::Identity>();
    movable::<atproto_identity::Account>();
    movable::<atproto_identity::IdentityError>();
    movable::<Resolver>();
}

/// Runs a machine to its end, polls it once more, and checks that the last poll panics.
struct TooOften<M>(M);

impl<M: Machine> Machine for TooOften<M> {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let _ = ready!(self.0.poll(cx));
        let again = catch_unwind(AssertUnwindSafe(|| self.0.poll(cx).is_ready()));
        assert!(again.is_err(), "the machine did not panic after its end");
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_machine_polled_after_its_end_panics() {
    let good = (0..15).filter(|n| [0, 5, 10].contains(n)).fold(Net::default(), event);
    let resolver = Resolver::new();
    for net in [good, Net::default()] {
        for freshness in [Freshness::Fresh, Freshness::Cached] {
            // The second round ends with the cached results of the first round.
            let world = World::default();
            for _ in 0..2 {
                for name in ["alice.com", "alice.local", "handle.invalid"] {
                    let machine = resolver.handle(name.parse().unwrap(), freshness);
                    world.in_turn(&net, TooOften(machine)).result.unwrap();
                }
                for name in [DID, "did:key:z6Mk", "did:web:alice.com"] {
                    let machine = resolver.did(name.parse().unwrap(), freshness);
                    world.in_turn(&net, TooOften(machine)).result.unwrap();
                }
                for name in [DID, "alice.com", "bob.com"] {
                    let machine = resolver.account(name.parse().unwrap(), freshness);
                    world.in_turn(&net, TooOften(machine)).result.unwrap();
                    let machine = resolver.identity(name.parse().unwrap(), freshness);
                    world.in_turn(&net, TooOften(machine)).result.unwrap();
                }
            }
            world.in_turn(&net, TooOften(resolver.forget(DID.parse().unwrap()))).result.unwrap();
        }
    }
}

/// Adds one of 15 events of Alice's resolution to the network: a record, a page, or a failure.
fn event(net: Net, event: u8) -> Net {
    let document = net::document(DID, r#"["at://alice.com"]"#, "https://pds.com");
    match event {
        0 => net.txt("_atproto.alice.com", &[&format!("did={DID}")]),
        1 => net.txt("_atproto.alice.com", &["did=junk"]),
        2 => net.txt("_atproto.alice.com", &[&format!("did={DID}"), "did=did:web:b.com"]),
        3 => net.fails(TXT, Phase::TimedOut),
        4 => net.fails(TXT, Phase::Unsupported),
        5 => net.page(URL, 200, DID),
        6 => net.page(URL, 200, "<html>"),
        7 => net.redirect(URL, URL),
        8 => net.redirect(URL, "https://127.0.0.1/"),
        9 => net.fails(&format!("GET {URL}"), Phase::Truncated),
        10 => net.page(PLC, 200, document),
        11 => net.page(PLC, 200, "{"),
        12 => net.page(PLC, 410, ""),
        13 => net.fails(&format!("GET {PLC}"), Phase::TooLarge),
        _ => net.fails("SLEEP 500", Phase::Unsupported),
    }
}

proptest! {
    #[test]
    fn any_network_in_any_order_leads_to_an_end(
        events in prop::collection::vec(0..15_u8, 0..8),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 32),
        step in 0..5_u64,
        by_did: bool,
    ) {
        let net = events.into_iter().fold(Net::default(), event);
        let identifier: Identifier = if by_did { DID } else { "alice.com" }.parse().unwrap();
        let resolver = Resolver::new().with_dns_grace(Duration::from_millis(500));
        let machine = resolver.identity(identifier, Freshness::Cached);
        let world = World { step: Duration::from_secs(step), ..World::default() };
        let mut choices = choices.iter().cycle();
        let run = world.run(&net, machine, |open| choices.next().unwrap().index(open));
        assert!(run.asked.len() <= 16);
        if let Ok(identity) = run.result {
            assert_eq!(identity.did.as_str(), DID);
            assert_eq!(identity.pds.as_str(), "https://pds.com/");
        }
    }

    #[test]
    fn parsing_any_text_ends_and_keeps_what_it_accepts(text in "\\PC*") {
        if let Ok(did) = text.parse::<Did>() {
            assert_eq!(did.as_str(), text);
            let _ = (did.check(true), did.check(false));
        }
        if let Ok(handle) = text.parse::<Handle>() {
            assert_eq!(handle.as_str(), text.to_lowercase());
        }
        if let Ok(typed) = Identifier::from_user_input(&text) {
            assert_eq!(typed.as_str().parse::<Identifier>().as_ref(), Ok(&typed));
        }
    }

    #[test]
    fn any_hostname_is_a_handle(
        handle in "([a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?\\.){1,4}[a-z]([a-z0-9-]{0,9}[a-z0-9])?",
    ) {
        assert_eq!(handle.parse::<Handle>().unwrap().as_str(), handle);
        let typed = format!(" @{}\u{200b}\n", handle.to_ascii_uppercase());
        if handle != Handle::PLACEHOLDER {
            assert_eq!(Handle::from_user_input(&typed).unwrap().as_str(), handle);
        }
    }

    #[test]
    fn reading_any_document_ends(json in prop::collection::vec(any::<u8>(), 0..200)) {
        let did: Did = DID.parse().unwrap();
        let _ = DidDocument::parse(&did, Bytes::from(json));
    }

    #[test]
    fn reading_a_document_with_anything_in_it_ends(
        member in "\\PC{0,40}",
        value in "[\\[\\]{}\",:a0]{0,40}",
    ) {
        let did: Did = DID.parse().unwrap();
        let member = serde_json::to_string(&member).unwrap();
        let lists = format!(r#""alsoKnownAs":[{value}],"service":[{value}]"#);
        let json = format!(r#"{{"id":"{DID}",{member}:{value},{lists}}}"#);
        if let Ok(document) = DidDocument::parse(&did, Bytes::from(json)) {
            let _ = (document.pds(true), document.pds(false));
        }
    }
}
