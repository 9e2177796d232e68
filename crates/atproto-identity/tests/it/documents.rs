//! Tests of DID documents from PLC directories and `did:web` hosts.

use std::time::Duration;

use atproto_identity::{
    Did, DidDocument, Freshness, IdentityError, IdentityErrorKind as Kind, Resolver,
};
use atproto_sansio::Phase;
use http::StatusCode;

use crate::net::{Net, World, blocked};

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
fn if_no_directory_answers_the_error_has_the_failure_of_each() {
    // Rules M-05, P-16
    let net = Net::default().page(ONE, 500, "").page(TWO, 503, "");
    let error = resolve(&mirrored(), DID, &net).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{DID} does not resolve; plc.directory/{DID} answered with status 500; \
             mirror.internal:2582/plc/{DID} answered with status 503"
        )
    );
    assert!(error.is_transient() && !error.blocked() && !error.is_network());
    assert_eq!(
        (error.kind(), error.http_status()),
        (Kind::Status, Some(StatusCode::from_u16(500).unwrap()))
    );

    let none = Resolver::new().with_directories([]);
    let run = net.in_turn(none.did(DID.parse().unwrap(), Freshness::Fresh));
    assert!(run.asked.is_empty());
    assert_eq!(run.result.unwrap_err().kind(), Kind::UnsupportedMethod);
}

#[test]
fn the_most_serious_failure_of_a_directory_decides() {
    // Rule P-16
    let get_one = format!("GET {ONE}");
    let get_two = format!("GET {TWO}");
    let lost = Net::default().fails(&get_one, Phase::TimedOut);
    for (net, kind, security, blocked, network) in [
        (lost.clone(), Kind::Transport, false, false, true),
        (lost.clone().page(TWO, 410, ""), Kind::Transport, false, false, true),
        (lost.clone().page(TWO, 200, "{}"), Kind::Transport, false, false, true),
        (lost.clone().fails(&get_two, Phase::TooLarge), Kind::Transport, false, true, false),
        (lost.clone().fails(&get_two, blocked()), Kind::Blocked, true, true, false),
        (Net::default().page(ONE, 503, ""), Kind::Status, false, false, false),
    ] {
        let error = resolve(&mirrored(), DID, &net).unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!((error.is_security(), error.blocked()), (security, blocked), "{error}");
        assert_eq!(error.is_network(), network, "{error}");
    }
    // A cached document outlives the failure of one directory.
    let world = World::default();
    let machine = |freshness| mirrored().did(DID.parse().unwrap(), freshness);
    let good = Net::default().page(ONE, 200, document(DID));
    world.in_turn(&good, machine(Freshness::Fresh)).result.unwrap();
    world.in_turn(&lost, machine(Freshness::Fresh)).result.unwrap_err();
    assert!(world.in_turn(&Net::default(), machine(Freshness::Cached)).result.is_ok());
}

#[test]
fn a_directory_that_never_answers_leaves_time_for_the_next() {
    // Rule A-78
    let net = Net::default().page(ONE, 200, document(DID)).page(TWO, 200, document(DID));
    let get = |url: &str| format!("GET {url}");
    let never = Duration::MAX;
    let secs = Duration::from_secs;
    let three = || {
        let slow = "https://slow.example".parse().unwrap();
        Resolver::new().with_directories(
            [slow].into_iter().chain(
                ["https://plc.directory", "http://mirror.internal:2582/plc/"]
                    .map(|url| url.parse().unwrap()),
            ),
        )
    };
    // Two directories have 5 s each. A directory that fails at once leaves its share to the others.
    for (resolver, mute, fails, end) in [
        (mirrored(), &[ONE][..], None, secs(5)),
        (three(), &["https://slow.example", ONE], None, secs(10) * 2 / 3),
        (three(), &[ONE], Some("https://slow.example"), secs(5)),
        (mirrored().with_document_timeout(secs(4)), &[ONE], None, secs(2)),
    ] {
        let net = match fails {
            Some(host) => net.clone().fails(&get(&format!("{host}/{DID}")), Phase::NotSent),
            None => net.clone(),
        };
        let world = World::default();
        let machine = resolver.did(DID.parse().unwrap(), Freshness::Fresh);
        let run = world.timed(&net, machine, |call| {
            if mute.iter().any(|url| call.starts_with(&get(url))) { never } else { Duration::ZERO }
        });
        assert!(run.result.is_ok(), "{:?}", run.result);
        assert!(
            world.elapsed.get().abs_diff(end) < Duration::from_millis(1),
            "{:?}",
            world.elapsed
        );
    }
    let world = World::default();
    let machine = mirrored().did(DID.parse().unwrap(), Freshness::Fresh);
    let run = world.timed(&net, machine, |_| never);
    assert!(run.result.unwrap_err().is_transient());
    assert_eq!((run.asked.len(), world.elapsed.get()), (2, secs(10)));
}

#[test]
fn an_error_of_a_document_names_its_host_and_path() {
    for (did, net, place) in [
        (DID, Net::default().page(ONE, 200, "{}"), &ONE[8..]),
        (DID, Net::default().page(ONE, 500, ""), &ONE[8..]),
        (DID, Net::default(), &ONE[8..]),
        ("did:web:alice.com", Net::default().page(WEB, 200, "{}"), &WEB[8..]),
        ("did:web:alice.com", Net::default().page(WEB, 500, ""), &WEB[8..]),
        ("did:web:alice.com", Net::default(), &WEB[8..]),
    ] {
        let error = resolve(&Resolver::new(), did, &net).unwrap_err().to_string();
        assert!(error.contains(place), "{error}");
    }
    // A key in the URL of a directory is not shown.
    let directory = "https://user:secret@plc.com/?key=secret".parse().unwrap();
    let net = Net::default().page(&format!("https://plc.com/{DID}?key=secret"), 500, "");
    let resolver = Resolver::new().with_directories([directory]);
    let error = resolve(&resolver, DID, &net).unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
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
    // The longest one of several directories counts.
    let net = Net::default().page_with(ONE, 503, ("retry-after", "60")).page_with(
        TWO,
        429,
        ("retry-after", "7"),
    );
    let error = resolve(&mirrored(), DID, &net).unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
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
