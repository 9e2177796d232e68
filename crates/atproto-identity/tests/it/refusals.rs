//! Tests: reserved and unsupported names are refused before any call.

use atproto_identity::{Freshness, IdentityErrorKind as Kind, Resolver};

use crate::net::{self, Net};

const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

/// Resolves `identifier`, checks that there was no call, and returns the kind of the error.
fn refused(resolver: &Resolver, identifier: &str) -> Kind {
    let identifier = identifier.parse().unwrap();
    let run = Net::default().in_turn(resolver.identity(identifier, Freshness::Cached));
    assert!(run.asked.is_empty(), "{:?}", run.asked);
    run.result.unwrap_err().kind()
}

#[test]
fn reserved_domains_are_never_looked_up() {
    // Rules A-04, A-05, A-06
    for tld in ["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion"] {
        for resolver in [Resolver::new(), Resolver::new().development()] {
            assert_eq!(refused(&resolver, &format!("alice.{tld}")), Kind::ReservedTld);
        }
    }
    assert_eq!(refused(&Resolver::new(), "handle.invalid"), Kind::ReservedTld);
}

#[test]
fn test_and_localhost_are_for_development() {
    // Rule J-14
    for identifier in ["alice.test", "a.b.TEST"] {
        assert_eq!(refused(&Resolver::new(), identifier), Kind::ReservedTld);
    }
    for identifier in ["did:web:localhost", "did:web:localhost%3A2583", "did:web:pds.test"] {
        assert_eq!(refused(&Resolver::new(), identifier), Kind::InvalidDid);
    }
    for identifier in ["alice.test", "did:web:localhost", "did:web:pds.test"] {
        let machine = Resolver::new().identity(identifier.parse().unwrap(), Freshness::Cached);
        let error = Net::default().in_turn(machine).result.unwrap_err().to_string();
        assert!(error.contains("`development()`"), "{error}");
    }
    let resolver = Resolver::new().development();
    for (identifier, asked) in [
        (
            "alice.test",
            &["TXT _atproto.alice.test", "GET http://alice.test/.well-known/atproto-did"][..],
        ),
        ("did:web:localhost", &["GET http://localhost/.well-known/did.json"]),
        ("did:web:pds.test", &["GET https://pds.test/.well-known/did.json"]),
    ] {
        let identifier = identifier.parse().unwrap();
        assert_eq!(
            Net::default().in_turn(resolver.identity(identifier, Freshness::Fresh)).asked,
            asked
        );
    }
}

#[test]
fn a_did_that_atproto_does_not_allow_is_never_looked_up() {
    // Rule A-24
    for (did, kind) in [
        ("did:key:z6Mk", Kind::UnsupportedMethod),
        ("did:example:alice", Kind::UnsupportedMethod),
        ("did:plc:short", Kind::InvalidDid),
        ("did:web:alice.com:u:a", Kind::InvalidDid),
        ("did:web:alice.com%2F..", Kind::InvalidDid),
        ("did:web:127.0.0.1", Kind::InvalidDid),
    ] {
        assert_eq!(refused(&Resolver::new(), did), kind, "{did}");
    }
}

#[test]
fn a_development_identity_is_whole() {
    let document = net::document(DID, r#"["at://alice.test"]"#, "http://localhost:2583");
    let net = Net::default().page("http://alice.test/.well-known/atproto-did", 200, DID).page(
        &format!("http://localhost:2582/{DID}"),
        200,
        document,
    );
    let resolver =
        Resolver::new().development().with_directories(["http://localhost:2582".parse().unwrap()]);
    let resolve = || resolver.identity("alice.test".parse().unwrap(), Freshness::Fresh);
    let identity = net.in_any_order(resolve).unwrap();
    assert_eq!(identity.pds.as_str(), "http://localhost:2583/");
}
