//! One case for each code, and the documents of the builders.

mod builders;
mod documents;
mod hostile;
mod published;

use std::collections::BTreeSet;

use atproto_dpop::P256Keys;
use atproto_sansio::{Entropy, Keys};
use serde_json::{Value, json};

use crate::client::lint::code::FindingCode;
use crate::client::lint::finding::Finding;
use crate::{Client, ClientBuilder, ClientKey, Scopes};

const CLIENT_ID: &str = "https://app.client.dev/c.json";

struct Fixed(u8);

impl Entropy for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

fn key(byte: u8) -> ClientKey {
    ClientKey::new(P256Keys.generate(&mut Fixed(byte))).unwrap().with_kid(format!("k{byte}"))
}

fn scopes() -> Scopes {
    Scopes::parse("atproto transition:generic").unwrap()
}

fn web() -> ClientBuilder {
    Client::web(CLIENT_ID, scopes()).redirect_uri("https://app.client.dev/cb")
}

fn native() -> ClientBuilder {
    Client::native(CLIENT_ID, scopes())
        .redirect_uri("https://app.client.dev/cb")
        .redirect_uri("dev.client.app:/cb")
        .redirect_uri("http://127.0.0.1/cb")
}

fn confidential() -> ClientBuilder {
    web().key(key(1)).key(key(2))
}

/// The metadata document of a builder.
fn document(builder: ClientBuilder) -> Value {
    serde_json::from_str(&builder.build().unwrap().metadata().unwrap()).unwrap()
}

/// Applies a merge patch (RFC 7396), in which null removes a member.
fn patched(mut document: Value, patch: &Value) -> Value {
    let Value::Object(members) = patch else { return patch.clone() };
    for (name, value) in members {
        match (value, &mut document) {
            (Value::Null, Value::Object(own)) => {
                own.remove(name);
            }
            (_, Value::Object(own)) => {
                let old = own.remove(name).unwrap_or_default();
                own.insert(name.clone(), patched(old, value));
            }
            (_, other) => *other = patched(json!({}), patch),
        }
    }
    document
}

/// The findings as `code@member`, in alphabetical order.
fn places(findings: &[Finding]) -> Vec<String> {
    let place = |finding: &Finding| match &finding.member {
        Some(member) => format!("{}@{member}", finding.code),
        None => finding.code.to_string(),
    };
    let places: BTreeSet<_> = findings.iter().map(place).collect();
    places.into_iter().collect()
}

/// The code at the front of a place.
fn code(place: &str) -> &str {
    place.split('@').next().unwrap()
}

#[test]
fn every_code_has_a_name_of_its_own_and_is_listed() {
    let names: BTreeSet<_> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), FindingCode::ALL.len());
    // Each variant has one arm in `as_str`.
    let arms = include_str!("../names.rs").matches(" => \"").count();
    assert_eq!(arms, FindingCode::ALL.len() + 2, "`Severity` has two arms");
    for code in FindingCode::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), json!(code.to_string()));
        assert!(code.as_str().bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()));
    }
}

#[test]
fn every_code_has_a_case() {
    // The codes of responses have cases in `tests/it/client_check.rs`.
    let of_responses = FindingCode::ALL.iter().map(|code| code.as_str()).filter(|code| {
        ["status", "redirect", "content_type", "unreachable"]
            .iter()
            .any(|what| *code == format!("document_{what}") || *code == format!("jwks_uri_{what}"))
    });
    let mut covered: BTreeSet<&str> = of_responses.collect();
    assert_eq!(covered.len(), 8);
    covered.extend(documents::covered());
    covered.extend(published::COVERED);
    for code in FindingCode::ALL {
        assert!(covered.contains(code.as_str()), "{code} has no case");
    }
}

#[test]
fn a_merge_patch_sets_and_removes() {
    let patch = json!({"a": null, "b": {"c": 1}});
    assert_eq!(patched(json!({"a": 1, "b": {"d": 2}}), &patch), json!({"b": {"c": 1, "d": 2}}));
    assert_eq!(patched(json!({"b": 7}), &patch), json!({"b": {"c": 1}}));
}
