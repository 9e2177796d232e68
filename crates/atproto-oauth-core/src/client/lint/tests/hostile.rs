//! Documents that are made to hurt.

use std::fmt::Write;

use serde_json::{Value, json};

use super::document as built;
use super::{CLIENT_ID, confidential, native, web};
use crate::{lint_jwks, lint_loopback_client_id, lint_metadata};

/// A small generator of numbers (xorshift), because each run has to break at the same place.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// Values that replace members, elements and texts.
fn odd(numbers: &mut Numbers) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(-1.5),
        json!(""),
        json!([]),
        json!({}),
        json!([[["x"]]]),
        json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "\u{e9}", "y": 7}]}),
        json!("https://[::1]:65536/"),
        json!("https://user:pa@ss@a.b/%zz#"),
        json!("http://localhost:80?#"),
        json!("a:b://c"),
        json!("\u{202e}\u{0}\u{1b}[31m é"),
        json!("atproto  ? : repo:?x=%"),
        json!("x".repeat(10_000)),
    ];
    values[numbers.below(values.len())].clone()
}

/// Replaces one value somewhere in a document.
fn mutate(value: &mut Value, numbers: &mut Numbers) {
    let replaces = numbers.below(4) == 0;
    match value {
        Value::Object(members) if !replaces && !members.is_empty() => {
            let index = numbers.below(members.len());
            mutate(members.values_mut().nth(index).unwrap(), numbers);
        }
        Value::Array(elements) if !replaces && !elements.is_empty() => {
            let index = numbers.below(elements.len());
            mutate(&mut elements[index], numbers);
        }
        _ => *value = odd(numbers),
    }
}

#[test]
fn no_document_makes_the_lint_panic() {
    // Rule P-07
    let mut numbers = Numbers(7);
    let documents = [built(web()), built(native()), built(confidential())];
    for round in 0..1500 {
        let mut mutated = documents[round % 3].clone();
        for _ in 0..=numbers.below(4) {
            mutate(&mut mutated, &mut numbers);
        }
        let mut bytes = mutated.to_string().into_bytes();
        if numbers.below(4) == 0 {
            let index = numbers.below(bytes.len());
            bytes[index] = u8::try_from(numbers.below(256)).unwrap();
        }
        let client_id = odd(&mut numbers);
        let client_id = client_id.as_str().unwrap_or(CLIENT_ID);
        lint_jwks(mutated["jwks"].to_string().as_bytes());
        lint_loopback_client_id(&format!("http://localhost?redirect_uri={client_id}"));
        for finding in lint_metadata(client_id, &bytes) {
            let line = finding.to_string();
            assert!(line.chars().count() < 1000 && !line.chars().any(char::is_control), "{line}");
            assert!(!line.contains("pa@ss"), "{line}");
        }
    }
}

#[test]
fn a_large_document_costs_little_and_has_a_short_report() {
    let mut uris = String::new();
    let mut keys = String::new();
    let mut members = String::new();
    for index in 0..40_000 {
        write!(uris, "\"a:{index}\",").unwrap();
        write!(keys, "{{\"kty\":{index}}},").unwrap();
        write!(members, "\"client_secret{index}\":1,").unwrap();
    }
    let document = |members: &str| format!("{{{members},\"x\":0}}");
    for text in [
        document(&format!("\"redirect_uris\":[{uris}0]")),
        document(&format!("\"scope\":\"{}\"", "a ".repeat(200_000))),
        document(&format!(
            "\"keys\":[{}]",
            keys.get(..500_000).unwrap().rsplit_once(',').unwrap().0
        )),
        document(members.get(..500_000).unwrap().rsplit_once(',').unwrap().0),
    ] {
        let (metadata, jwks) =
            (lint_metadata(CLIENT_ID, text.as_bytes()), lint_jwks(text.as_bytes()));
        assert!(metadata.len() > 1 && metadata.len() <= 500, "the document is read");
        assert!(jwks.len() <= 500);
    }
    let one = built(confidential())["jwks"]["keys"][0].clone();
    let many = json!({"keys": vec![one; 2000]}).to_string();
    assert_eq!(lint_jwks(many.as_bytes()).len(), 500);
}

#[test]
fn no_message_repeats_a_secret_of_the_document() {
    // Rule K-05
    let mut hostile = built(confidential());
    hostile["client_secret"] = json!("s3cret");
    hostile["jwks"]["keys"][0]["d"] = json!("s3cret");
    hostile["redirect_uris"] = json!(["https://user:s3cret@app.client.dev/cb"]);
    hostile["logo_uri"] = json!("https://user:s3cret@app.client.dev/l");
    let findings =
        lint_metadata("https://user:s3cret@app.client.dev/c", hostile.to_string().as_bytes());
    assert!(findings.len() > 4);
    assert!(!format!("{findings:?}").contains("s3cret"), "{findings:?}");
}
