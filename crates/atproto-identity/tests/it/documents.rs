//! Tests of DID documents from PLC directories and `did:web` hosts.

use std::time::Duration;

use atproto_identity::{
    Did, DidDocument, Freshness, IdentityError, IdentityErrorKind as Kind, Resolver,
};
use atproto_sansio::Phase;

use crate::net::{Net, blocked};

const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const ONE: &str = "https://plc.directory/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const TWO: &str = "http://mirror.internal:2582/plc/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const WEB: &str = "https://alice.com/.well-known/did.json";

fn document(did: &str) -> String {
    format!(r#"{{"id":"{did}"}}"#)
}

fn mirrored() -> Resolver {
    Resolver::new().with_directories([
        "https://plc.directory".parse().unwrap(),
        "http://mirror.internal:2582/plc/".parse().unwrap(),
    ])
}

fn resolve(resolver: &Resolver, did: &str, net: &Net) -> Result<DidDocument, IdentityError> {
    let did: Did = did.parse().unwrap();
    net.in_any_order(|| resolver.did(did.clone(), Freshness::Fresh))
}

fn kind(resolver: &Resolver, did: &str, net: &Net) -> Kind {
    resolve(resolver, did, net).unwrap_err().kind()
}

#[test]
fn a_did_plc_takes_one_request_to_the_directory() {
    // Rule A-65
    let net = Net::default().page(ONE, 200, document(DID));
    let run = net.in_turn(Resolver::new().did(DID.parse().unwrap(), Freshness::Fresh));
    assert_eq!(run.asked, [format!("GET {ONE}")]);
    assert_eq!(run.result.unwrap().did().as_str(), DID);
}

#[test]
fn the_next_directory_is_asked_when_one_has_no_answer() {
    // Rule A-78
    let good = Net::default().page(TWO, 200, document(DID));
    for net in [
        good.clone().page(ONE, 500, ""),
        good.clone().page(ONE, 503, "<html>"),
        good.clone().page(ONE, 429, ""),
        good.clone().fails(&format!("GET {ONE}"), Phase::NotSent),
        good.clone().fails(&format!("GET {ONE}"), Phase::MaybeSent),
        good.clone().fails(&format!("GET {ONE}"), Phase::Truncated),
        good.clone().fails(&format!("GET {ONE}"), Phase::TimedOut),
    ] {
        let run = net.in_turn(mirrored().did(DID.parse().unwrap(), Freshness::Fresh));
        assert_eq!(run.asked, [format!("GET {ONE}"), format!("GET {TWO}")]);
        assert!(run.result.is_ok());
    }
}

#[test]
fn an_answer_is_final_even_if_another_directory_differs() {
    let good = Net::default().page(TWO, 200, document(DID));
    for (net, kind) in [
        (good.clone().page(ONE, 404, ""), Kind::NotFound),
        (good.clone().page(ONE, 410, ""), Kind::Tombstoned),
        (good.clone().page(ONE, 400, ""), Kind::Status),
        (good.clone().redirect(ONE, TWO), Kind::Status),
        (good.clone().page(ONE, 203, document(DID)), Kind::Status),
        (good.clone().page(ONE, 200, "{}"), Kind::Malformed),
        (good.clone().page(ONE, 200, document("did:plc:b")), Kind::DocumentIdMismatch),
        (good.clone().page(ONE, 200, " ".repeat(256 * 1024 + 1)), Kind::Transport),
        (good.clone().fails(&format!("GET {ONE}"), blocked()), Kind::Blocked),
    ] {
        let run = net.in_turn(mirrored().did(DID.parse().unwrap(), Freshness::Fresh));
        assert_eq!(run.asked, [format!("GET {ONE}")]);
        assert_eq!(run.result.unwrap_err().kind(), kind);
    }
}

#[test]
fn if_no_directory_answers_the_last_error_is_returned() {
    let net = Net::default().page(ONE, 500, "").page(TWO, 503, "");
    let error = resolve(&mirrored(), DID, &net).unwrap_err();
    assert_eq!(error.to_string(), "mirror.internal answered with status 503");
    assert!(error.is_transient());

    let none = Resolver::new().with_directories([]);
    let run = net.in_turn(none.did(DID.parse().unwrap(), Freshness::Fresh));
    assert!(run.asked.is_empty());
    assert_eq!(run.result.unwrap_err().kind(), Kind::UnsupportedMethod);
}

#[test]
fn retry_after_is_returned_up_to_one_day() {
    let net = Net::default().page(ONE, 429, "");
    assert_eq!(resolve(&Resolver::new(), DID, &net).unwrap_err().retry_after(), None);
    let net = net.page_with(ONE, 429, ("retry-after", "7"));
    let error = resolve(&Resolver::new(), DID, &net).unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    // A longer `Retry-After` is reduced to one day.
    let net = net.page_with(ONE, 429, ("retry-after", "18446744073709551615"));
    let error = resolve(&Resolver::new(), DID, &net).unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(86_400)));
}

#[test]
fn a_did_web_takes_one_request_to_its_host() {
    // Rule A-67
    let did = "did:web:alice.com";
    let net = Net::default().page(WEB, 200, document(did));
    assert!(resolve(&Resolver::new(), did, &net).is_ok());
    for (net, expected) in [
        (Net::default(), Kind::NotFound),
        (Net::default().page(WEB, 500, ""), Kind::Status),
        (Net::default().redirect(WEB, "https://alice.com/did.json"), Kind::Status),
        (Net::default().page(WEB, 201, document(did)), Kind::Status),
        (Net::default().page(WEB, 200, document("did:web:bob.com")), Kind::DocumentIdMismatch),
        (Net::default().page(WEB, 200, document("did:web:Alice.com")), Kind::DocumentIdMismatch),
        (Net::default().page(WEB, 200, " ".repeat(256 * 1024 + 1)), Kind::Transport),
        (Net::default().fails(&format!("GET {WEB}"), Phase::TimedOut), Kind::Transport),
    ] {
        assert_eq!(kind(&Resolver::new(), did, &net), expected);
    }
}

#[test]
fn localhost_is_asked_over_plain_http_in_development() {
    let did = "did:web:localhost%3A2583";
    let url = "http://localhost:2583/.well-known/did.json";
    let net = Net::default().page(url, 200, document(did));
    assert!(resolve(&Resolver::new().development(), did, &net).is_ok());
}

#[test]
fn an_error_quotes_at_most_200_characters_of_a_document() {
    // Rule M-03
    let long = format!("{}\u{1b}", "x".repeat(100_000));
    let quoted = serde_json::to_string(&long).unwrap();
    for body in [
        document(&long.replace('\u{1b}', "\\u001b")),
        format!(r#"{{"id":{{"x":{quoted}}}}}"#),
        format!(r#"{{"id":[{quoted}]}}"#),
    ] {
        let text = resolve(&Resolver::new(), DID, &Net::default().page(ONE, 200, body));
        let text = text.unwrap_err().to_string();
        assert!(text.len() < 400 && !text.contains('\u{1b}'), "{text}");
    }
}
