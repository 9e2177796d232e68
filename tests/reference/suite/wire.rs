//! What was on the wire, in the server's own words: its log of decoded proofs and forms.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::network::Network;

/// Holds everything that server `a` saw against the rules for proofs and forms.
///
/// Gives the requests as `METHOD path status`, for a test to compare.
pub(crate) fn check(network: &Network) -> Vec<String> {
    let log = network.log();
    let mut identifiers = BTreeSet::new();
    for entry in &log {
        let path = entry["path"].as_str().unwrap();
        if path.starts_with("/.well-known/") {
            check_metadata(entry);
        } else {
            check_proof(network, entry, &mut identifiers);
        }
        if path.starts_with("/oauth/") {
            check_form(entry);
        }
    }
    let line = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        format!("{} {} {}", text("method"), text("path"), entry["status"])
    };
    log.iter().map(line).collect()
}

/// REQUIREMENTS B-01, B-20, A-50: no credentials, no cookies, no proof.
fn check_metadata(entry: &Value) {
    let names = header_names(entry);
    for name in ["authorization", "cookie", "dpop", "referer", "origin"] {
        assert!(!names.iter().any(|sent| sent == name), "{entry}");
    }
    assert_eq!(entry["method"], "GET");
}

/// REQUIREMENTS E-01 to E-13.
fn check_proof(network: &Network, entry: &Value, identifiers: &mut BTreeSet<String>) {
    assert_eq!(entry["dpop_headers"], 1, "exactly one proof: {entry}");
    assert_eq!(entry["dpop_signature_valid"], true, "{entry}");
    assert_eq!(entry["dpop_signature_bytes"], 64, "r and s, not DER: {entry}");

    let header = entry["dpop_header"].as_object().unwrap();
    assert_eq!(members(header), ["alg", "jwk", "typ"]);
    assert_eq!((&header["alg"], &header["typ"]), (&"ES256".into(), &"dpop+jwt".into()));
    assert_eq!(members(header["jwk"].as_object().unwrap()), ["crv", "kty", "x", "y"]);

    let claims = entry["dpop"].as_object().unwrap();
    let has_token = entry["authorization_scheme"].is_string();
    let optional = [("ath", has_token), ("nonce", claims.contains_key("nonce"))];
    let optional = optional.into_iter().filter_map(|(name, there)| there.then_some(name));
    let mut expected: Vec<_> = ["htm", "htu", "iat", "jti"].into_iter().chain(optional).collect();
    expected.sort_unstable();
    assert_eq!(members(claims), expected, "{entry}");
    assert_eq!(claims["htm"], entry["method"]);
    let path = entry["path"].as_str().unwrap();
    assert_eq!(claims["htu"], format!("{}{path}", network.text("/pds/a/url")));
    let sent_at = entry["t"].as_u64().unwrap() / 1000;
    assert!(claims["iat"].as_u64().unwrap().abs_diff(sent_at) <= 2, "{entry}");

    let jti = claims["jti"].as_str().unwrap();
    assert_eq!(jti.len(), 22, "128 bits in base64url");
    assert!(identifiers.insert(jti.to_owned()), "a jti was used again: {entry}");

    if has_token {
        assert_eq!(entry["authorization_scheme"], "DPoP");
        assert_eq!(entry["ath_valid"], true, "{entry}");
    }
}

/// REQUIREMENTS D-04, D-05, D-60, G-22, G-42.
fn check_form(entry: &Value) {
    assert_eq!(entry["content_type"], "application/x-www-form-urlencoded");
    assert!(entry["authorization_scheme"].is_null(), "{entry}");
    assert_eq!(entry["query"].as_str().unwrap_or_default(), "", "nothing in the URL: {entry}");
    let form = entry["form"].as_object().unwrap();
    let names = members(form);
    let expected: &[&str] = match (entry["path"].as_str().unwrap(), form["client_id"].as_str()) {
        ("/oauth/par", Some(_)) => &[
            "client_id",
            "code_challenge",
            "code_challenge_method",
            "login_hint",
            "redirect_uri",
            "response_type",
            "scope",
            "state",
        ],
        ("/oauth/token", Some(_)) if form["grant_type"] == "authorization_code" => {
            &["client_id", "code", "code_verifier", "grant_type", "redirect_uri"]
        }
        ("/oauth/token", Some(_)) => &["client_id", "grant_type", "refresh_token"],
        ("/oauth/revoke", Some(_)) => &["client_id", "token", "token_type_hint"],
        other => panic!("{other:?}"),
    };
    assert_eq!(names, expected, "{entry}");
    assert!(form.values().all(Value::is_string), "no field is there twice: {entry}");
}

fn members(object: &serde_json::Map<String, Value>) -> Vec<&str> {
    let mut names: Vec<_> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn header_names(entry: &Value) -> Vec<String> {
    let names = entry["header_names"].as_array().unwrap();
    names.iter().map(|name| name.as_str().unwrap().to_ascii_lowercase()).collect()
}
