//! Tests of TXT records from a DNS over HTTPS service.

use atproto_identity::{
    Did, Freshness, IdentityError, IdentityErrorKind as Kind, ResolutionMethod, Resolver,
};
use atproto_sansio::Phase;

use crate::net::Net;

const SERVICE: &str = "http://dns.internal/query?key=1";
const ASK: &str = "http://dns.internal/query?key=1&name=_atproto.alice.com&type=TXT";
const URL: &str = "https://alice.com/.well-known/atproto-did";
const A: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";

fn resolve(net: &Net) -> Result<Did, IdentityError> {
    let resolver = Resolver::new().with_dns_over_https(SERVICE.parse().unwrap());
    net.in_any_order(|| resolver.handle("alice.com".parse().unwrap(), Freshness::Fresh))
}

/// The JSON body of the service, with one TXT record for each element of `records`.
fn records(records: &[&str]) -> String {
    let answers: Vec<String> = records
        .iter()
        .map(|data| {
            format!(r#"{{"name":"x","type":16,"TTL":1,"data":{}}}"#, serde_json::json!(data))
        })
        .collect();
    format!(r#"{{"Status":0,"TC":false,"Answer":[{}]}}"#, answers.join(","))
}

#[test]
fn the_service_takes_the_place_of_dns() {
    // Rule A-37
    for record in [
        format!("\"did={A}\""),
        format!("\"did=did:plc:\" \"{}\"", &A[8..]),
        format!("\"did=did\\058plc:{}\"", &A[8..]),
        format!("did={A}"),
    ] {
        let net = Net::default().page(ASK, 200, records(&["\"v=spf1\"", &record]));
        assert_eq!(resolve(&net), Ok(A.parse().unwrap()), "{record}");
    }
    let resolver = Resolver::new().with_dns_over_https(SERVICE.parse().unwrap());
    let machine = resolver.handle("alice.com".parse().unwrap(), Freshness::Fresh);
    let net = Net::default().page(ASK, 200, records(&[&format!("\"did={A}\"")]));
    assert_eq!(net.in_turn(machine).asked, [format!("GET {ASK}")]);
}

#[test]
fn only_txt_records_count() {
    let alias = r#"{"name":"x","type":5,"data":"did=did:web:evil.com"}"#;
    let reply = records(&[&format!("\"did={A}\"")]).replace("[{", &format!("[{alias},{{"));
    assert_eq!(resolve(&Net::default().page(ASK, 200, reply)), Ok(A.parse().unwrap()));
}

#[test]
fn two_dids_from_the_service_are_ambiguous() {
    let reply = records(&[&format!("\"did={A}\""), &format!("\"did={B}\"")]);
    let net = Net::default().page(ASK, 200, reply);
    assert_eq!(resolve(&net).unwrap_err().kind(), Kind::Ambiguous);
}

#[test]
fn without_an_answer_the_host_is_asked() {
    let trouble = Net::default();
    let deep = format!(r#"{{"Status":0,"x":{}{}}}"#, "[".repeat(9999), "]".repeat(9999));
    let big = " ".repeat(64 * 1024 + 1);
    for (net, kind) in [
        (trouble.clone().page(ASK, 200, r#"{"Status":3}"#), Kind::NotFound),
        (trouble.clone().page(ASK, 200, r#"{"Status":0}"#), Kind::NotFound),
        (trouble.clone().page(ASK, 200, r#"{"Status":2}"#), Kind::Dns),
        (trouble.clone().page(ASK, 200, r#"{"Status":5}"#), Kind::Dns),
        (trouble.clone().page(ASK, 500, ""), Kind::Status),
        (trouble.clone().page(ASK, 404, ""), Kind::Status),
        (trouble.clone().page(ASK, 200, "<html>"), Kind::Malformed),
        (trouble.clone().page(ASK, 200, "[0,[]]"), Kind::Malformed),
        (trouble.clone().page(ASK, 200, r#"{"Status":0.5}"#), Kind::Malformed),
        (trouble.clone().page(ASK, 200, r#"{"Status":-1}"#), Kind::Malformed),
        (trouble.clone().page(ASK, 200, deep), Kind::Malformed),
        (trouble.clone().page(ASK, 200, "\u{feff}{\"Status\":3.0}"), Kind::NotFound),
        (trouble.clone().page(ASK, 200, r#"{"Status":0,"Status":0}"#), Kind::Malformed),
        (trouble.clone().page(ASK, 200, r#"{"Status":0} x"#), Kind::Malformed),
        (trouble.clone().page(ASK, 200, records(&["\"did="])), Kind::Malformed),
        (trouble.clone().page(ASK, 200, big), Kind::Transport),
        (trouble.fails(&format!("GET {ASK}"), Phase::TimedOut), Kind::Transport),
    ] {
        let IdentityError::Unresolved { failures, .. } = resolve(&net).unwrap_err() else {
            unreachable!("no method had an answer");
        };
        let dns = failures
            .iter()
            .find(|failure| failure.method == ResolutionMethod::DnsOverHttps)
            .unwrap();
        assert_eq!(dns.error.kind(), kind, "{dns}");
        assert_eq!(resolve(&net.page(URL, 200, A)), Ok(A.parse().unwrap()), "{dns}");
    }
}

#[test]
fn an_error_quotes_at_most_200_characters_of_the_reply() {
    // Rule M-03
    let reply = format!(r#"{{"Status":"{}"}}"#, "x".repeat(10_000));
    let text = resolve(&Net::default().page(ASK, 200, reply)).unwrap_err().to_string();
    assert!(text.contains("xxx") && text.len() < 500, "{text}");
}
