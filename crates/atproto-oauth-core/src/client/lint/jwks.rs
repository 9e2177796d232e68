//! The lint of a JWK Set: the public keys of a confidential client.
//!
//! RFC 7517; RFC 7518 section 6.2.

use std::collections::BTreeSet;

use atproto_dpop::Jwk;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

use crate::client::key::check_kid;
use crate::client::lint::code::FindingCode;
use crate::client::lint::document::{Document, Unreadable, wrong_type};
use crate::client::lint::finding::{Finding, Findings, quoted};
use crate::error::ConfigError;

/// Finds everything that is wrong with the JWK Set `document` that was fetched from the `jwks_uri`
/// of a client.
///
/// No message contains a private part of a key, also if the document does.
pub fn lint_jwks(document: &[u8]) -> Vec<Finding> {
    let mut findings = Findings::default();
    if let Some(document) = Document::read(document, &UNREADABLE, &mut findings) {
        check_keys(document.get("keys"), "keys", &mut findings);
    }
    findings.finish()
}

/// Like [`lint_jwks`], with the places in the words of the metadata document that names the
/// `jwks_uri`.
pub(super) fn lint_at_jwks_uri(document: &[u8]) -> Vec<Finding> {
    let mut findings = lint_jwks(document);
    for finding in &mut findings {
        let place = finding.member.take();
        finding.member =
            Some(place.map_or_else(|| JWKS_URI.to_owned(), |at| format!("{JWKS_URI}.{at}")));
    }
    findings
}

/// The member that names the URL of a JWK Set.
pub(super) const JWKS_URI: &str = "jwks_uri";

const UNREADABLE: Unreadable = Unreadable {
    too_large: FindingCode::JwksUriTooLarge,
    not_json: FindingCode::JwksNotJson,
    not_object: FindingCode::JwksNotObject,
};

/// Checks the JWK Set that the document has as its `member`.
pub(super) fn check(set: &Value, member: &str, findings: &mut Findings) {
    match set.as_object() {
        Some(set) => check_keys(set.get("keys"), &format!("{member}.keys"), findings),
        None => wrong_type(member, set, "an object with the list `keys`", findings),
    }
}

/// The `keys` of a JWK Set that can verify `ES256` signatures, and are not revoked.
pub(super) fn usable(keys: Option<&Value>) -> impl Iterator<Item = (&str, Jwk)> {
    keys.and_then(Value::as_array).into_iter().flatten().filter_map(|key| {
        let members = key.as_object()?;
        let is_revoked = members.get("revoked").is_some_and(|value| value != &Value::Bool(false));
        let kid = members.get("kid")?.as_str()?;
        (!is_revoked && is_es256(members)).then_some((kid, point(key)?))
    })
}

fn check_keys(keys: Option<&Value>, place: &str, findings: &mut Findings) {
    let Some(keys) = keys else {
        let why = "the list of keys is missing: write at least one public key";
        return findings.add(FindingCode::JwksEmpty, place, why);
    };
    let value = keys;
    let Some(keys) = value.as_array() else {
        return wrong_type(place, value, "a list of JWKs", findings);
    };
    if keys.is_empty() {
        let why = "the list of keys is empty: write at least one public key";
        return findings.add(FindingCode::JwksEmpty, place, why);
    }
    let mut kids = BTreeSet::new();
    let mut has_es256 = false;
    for (index, key) in keys.iter().enumerate() {
        let place = format!("{place}[{index}]");
        let Some(members) = key.as_object() else {
            let why = "the key is not a JSON object: write the public JWK";
            findings.add(FindingCode::JwksKeyMalformed, &place, why);
            continue;
        };
        check_private(members, &place, findings);
        check_kid_of(members, &mut kids, &place, findings);
        check_use(members, &place, findings);
        let is_sound = check_point(key, members, &place, findings);
        has_es256 |= is_sound && is_es256(members);
    }
    if !has_es256 {
        let why = "no key can verify ES256 signatures, which all servers know: publish a P-256 key \
                   with the `alg` `ES256`";
        findings.add(FindingCode::JwksNoEs256, place, why);
    }
}

fn check_private(members: &Map<String, Value>, place: &str, findings: &mut Findings) {
    for name in PRIVATE.into_iter().filter(|name| members.contains_key(*name)) {
        let why = "this is the private part of the key, and everybody can read this document: \
                   replace the key, and publish only the public part";
        findings.add(FindingCode::JwksPrivateMaterial, &format!("{place}.{name}"), why);
    }
}

fn check_kid_of<'a>(
    members: &'a Map<String, Value>,
    kids: &mut BTreeSet<&'a str>,
    place: &str,
    findings: &mut Findings,
) {
    let place = format!("{place}.kid");
    let missing = FindingCode::JwksKidMissing;
    let Some(value) = members.get("kid") else {
        let why = "the key has no `kid`, so that servers can't find it: name it";
        return findings.add(missing, &place, why);
    };
    let Some(kid) = value.as_str() else {
        return wrong_type(&place, value, "a string", findings);
    };
    match check_kid(kid, kids) {
        Ok(()) => {}
        Err(ConfigError::SameKid(kid)) => {
            let why = format!("another key has the `kid` {kid}, too: rename one of them");
            findings.add(FindingCode::JwksKidDuplicate, &place, why);
        }
        Err(_) => {
            let why =
                "the `kid` has no visible character, so that servers can't find the key: name it";
            findings.add(missing, &place, why);
        }
    }
}

fn check_use(members: &Map<String, Value>, place: &str, findings: &mut Findings) {
    if !is_for_signatures(members) {
        let why = "the key is not marked as one for signatures: write `\"use\": \"sig\"`";
        findings.add(FindingCode::JwksKeyUse, place, why);
    }
    let alg = members.get("alg").and_then(Value::as_str);
    if is_p256(members) && alg != Some("ES256") {
        let found =
            alg.map_or_else(|| "no `alg`".to_owned(), |alg| format!("the `alg` {}", quoted(alg)));
        let why = format!("the key has {found}: write `\"alg\": \"ES256\"`");
        findings.add(FindingCode::JwksKeyAlg, place, why);
    }
}

/// Checks the coordinates of a P-256 key. Returns whether they are a point of the curve.
fn check_point(
    key: &Value,
    members: &Map<String, Value>,
    place: &str,
    findings: &mut Findings,
) -> bool {
    if !members.get("kty").is_some_and(Value::is_string) {
        let why = "the key has no `kty`: write the public JWK";
        findings.add(FindingCode::JwksKeyMalformed, place, why);
    }
    if !is_p256(members) {
        return false;
    }
    let wrong = ["x", "y"].into_iter().filter(|name| {
        let text = members.get(*name).and_then(Value::as_str);
        // The decoder gets no text that could not be 32 bytes.
        let bytes = text.filter(|text| text.len() == 43).map(Base64UrlUnpadded::decode_vec);
        !matches!(bytes, Some(Ok(bytes)) if bytes.len() == 32)
    });
    let wrong: Vec<_> = wrong.collect();
    for name in &wrong {
        let why = "the coordinate is not 32 bytes in base64url without padding: fill it with zero \
                   bytes in front, and encode it again";
        findings.add(FindingCode::JwksCoordinateLength, &format!("{place}.{name}"), why);
    }
    let is_on_curve = point(key).is_some();
    if wrong.is_empty() && !is_on_curve {
        let why = "the coordinates are not a point on the curve: export the public key again";
        findings.add(FindingCode::JwksKeyMalformed, place, why);
    }
    is_on_curve
}

/// The public key of a JWK; `None` if it is not a P-256 key.
fn point(key: &Value) -> Option<Jwk> {
    serde_json::from_value(key.clone()).ok()
}

fn is_p256(members: &Map<String, Value>) -> bool {
    members.get("kty").is_some_and(|kty| kty == "EC")
        && members.get("crv").is_some_and(|crv| crv == "P-256")
}

/// Whether a key is for `ES256`: its `alg` and `use` say so, or say nothing.
fn is_es256(members: &Map<String, Value>) -> bool {
    let may_be = |name: &str, value: &str| members.get(name).is_none_or(|found| found == value);
    is_p256(members) && may_be("alg", "ES256") && may_be("use", "sig")
}

fn is_for_signatures(members: &Map<String, Value>) -> bool {
    let operations = members.get("key_ops").and_then(Value::as_array);
    members.get("use").is_some_and(|used| used == "sig")
        || operations.is_some_and(|all| all.iter().any(|operation| operation == "verify"))
}

/// The private members of all kinds of keys: RFC 7518 section 6.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
