//! Checks of all requests in the log of a server: their proofs and forms.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::flows::{Seen, Stage};

/// The log of one server, whose requests are checked against the rules for proofs and forms.
pub struct Wire<'a> {
    stage: &'a dyn Stage,
    server: String,
    identifiers: BTreeSet<String>,
}

impl<'a> Wire<'a> {
    /// Watches the server at the origin `server`, and clears its log.
    pub fn of(stage: &'a dyn Stage, server: &str) -> Self {
        stage.clear_log();
        Self { stage, server: server.to_owned(), identifiers: BTreeSet::new() }
    }

    /// Checks and returns the requests since the last call, in the order of arrival, as
    /// `METHOD path status`.
    ///
    /// # Panics
    ///
    /// Panics if a request breaks a rule.
    pub fn step(&mut self) -> Vec<String> {
        let log = self.stage.log(&self.server);
        self.stage.clear_log();
        for seen in &log {
            if seen.path.starts_with("/.well-known/") {
                check_metadata(seen);
            } else {
                check_proof(&self.server, seen, &mut self.identifiers);
            }
            if seen.path.starts_with("/oauth/") {
                check_form(seen);
            }
        }
        log.iter().map(Seen::line).collect()
    }

    /// Checks and returns the requests like [`Wire::step`], but the metadata requests first and
    /// sorted, because the client sends them concurrently with each other and with the code.
    ///
    /// # Panics
    ///
    /// Panics if a request breaks a rule.
    pub fn step_documents_first(&mut self) -> Vec<String> {
        let is_document = |line: &String| line.contains("/.well-known/");
        let (mut lines, others): (Vec<_>, Vec<_>) = self.step().into_iter().partition(is_document);
        lines.sort_unstable();
        lines.extend(others);
        lines
    }
}

/// Checks a metadata request: no credentials, no cookies, no proof (Rules B-01, B-20, A-50).
fn check_metadata(seen: &Seen) {
    for name in ["authorization", "cookie", "dpop", "referer", "origin"] {
        assert_eq!(seen.count(name), 0, "{seen:?}");
    }
    assert_eq!(seen.method, "GET");
}

/// Checks the DPoP proof of a request (Rules E-01 to E-13).
fn check_proof(server: &str, seen: &Seen, identifiers: &mut BTreeSet<String>) {
    assert_eq!(seen.count("dpop"), 1, "exactly one proof: {seen:?}");
    assert!(seen.proof_is_signed, "{seen:?}");
    let proof = seen.proof.as_ref().unwrap();
    assert_eq!(proof.signature_bytes, 64, "r and s, not DER: {seen:?}");

    assert_eq!(members(&proof.header), ["alg", "jwk", "typ"]);
    assert_eq!((&proof.header["alg"], &proof.header["typ"]), (&"ES256".into(), &"dpop+jwt".into()));
    assert_eq!(members(proof.header["jwk"].as_object().unwrap()), ["crv", "kty", "x", "y"]);

    let has_token = seen.authorization_scheme.is_some();
    let optional = [("ath", has_token), ("nonce", proof.claims.contains_key("nonce"))];
    let optional = optional.into_iter().filter_map(|(name, there)| there.then_some(name));
    let mut expected: Vec<_> = ["htm", "htu", "iat", "jti"].into_iter().chain(optional).collect();
    expected.sort_unstable();
    assert_eq!(members(&proof.claims), expected, "{seen:?}");
    assert_eq!(proof.claim("htm"), Some(&*seen.method));
    assert_eq!(proof.claim("htu"), Some(&*format!("{server}{}", seen.path)));
    let issued_at = proof.claims["iat"].as_u64().unwrap();
    // Rule E-08
    assert!(seen.at.abs_diff(issued_at + 10) <= 2, "{seen:?}");

    let jti = proof.claim("jti").unwrap();
    assert_eq!(jti.len(), 22, "128 bits in base64url");
    assert!(identifiers.insert(jti.to_owned()), "a jti was used again: {seen:?}");

    if has_token {
        assert_eq!(seen.authorization_scheme.as_deref(), Some("DPoP"));
        assert_eq!(seen.ath_is_right, Some(true), "{seen:?}");
    }
}

/// Checks the fields of a form (Rules D-04, D-05, D-60, G-22, G-42).
fn check_form(seen: &Seen) {
    assert_eq!(seen.content_type.as_deref(), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.authorization_scheme, None, "{seen:?}");
    assert_eq!(seen.query, "", "the URL has no query: {seen:?}");
    let expected: &[&str] = match (&*seen.path, seen.field("client_id")) {
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
        ("/oauth/token", Some(_)) if seen.field("grant_type") == Some("authorization_code") => {
            &["client_id", "code", "code_verifier", "grant_type", "redirect_uri"]
        }
        ("/oauth/token", Some(_)) => &["client_id", "grant_type", "refresh_token"],
        ("/oauth/revoke", Some(_)) => &["client_id", "token", "token_type_hint"],
        other => panic!("{other:?}"),
    };
    let form = seen.form.as_ref().unwrap();
    assert_eq!(members(form), expected, "{seen:?}");
    assert!(form.values().all(Value::is_string), "no field is repeated: {seen:?}");
}

fn members(object: &serde_json::Map<String, Value>) -> Vec<&str> {
    let mut names: Vec<_> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
