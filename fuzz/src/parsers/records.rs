//! Stored sessions and pending logins.

use std::sync::LazyLock;

use atproto_oauth_core::{Client, InputError, Pending, Scopes, Session};
use atproto_sansio::SecretString;

use crate::parsers::text;

/// A seed of `session_record`: the session of a loopback client at `https://pds.example.com`.
pub(crate) const SESSION: &str =
    include_str!("../../corpus/session_record/of_a_loopback_client.json");

/// A seed of `pending_record`: a login of the same client.
pub(crate) const PENDING: &str =
    include_str!("../../corpus/pending_record/of_a_loopback_client.json");

/// The client of [`SESSION`] and [`PENDING`].
pub(crate) fn client() -> &'static Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        let scopes = Scopes::parse("atproto transition:generic").expect("a constant is valid");
        let client = Client::loopback(scopes).redirect_path("/callback").build();
        client.expect("constant settings are valid")
    });
    &CLIENT
}

/// A session survives being written and read; its `Debug` has no secret.
pub(crate) fn session_record(data: &[u8]) -> bool {
    let text = text(data);
    let session = match Session::from_json(&text) {
        Ok(session) => session,
        Err(error) => return refused(&error),
    };
    let stored = session.to_json().expect("the keys of P256Keys can be exported");
    let again = Session::from_json(stored.expose()).expect("a stored session is read");
    assert_same(&again.to_json(), &stored);
    let shown = format!("{session:?}");
    assert_hidden(&shown, session.access_token().expose(), &stored);
    if let Some(token) = session.refresh_token() {
        assert_hidden(&shown, token.expose(), &stored);
    }
    true
}

/// A pending login survives being written and read; its `Debug` has no secret.
pub(crate) fn pending_record(data: &[u8]) -> bool {
    let text = text(data);
    let pending = match Pending::from_json(&text) {
        Ok(pending) => pending,
        Err(error) => return refused(&error),
    };
    let stored = pending.to_json().expect("the keys of P256Keys can be exported");
    let again = Pending::from_json(stored.expose()).expect("a stored login is read");
    assert_same(&again.to_json(), &stored);
    assert_eq!((again.state(), again.subject()), (pending.state(), pending.subject()));
    let document: serde_json::Value =
        serde_json::from_str(stored.expose()).expect("a stored login is JSON");
    let verifier = document["code_verifier"].as_str().expect("a stored login has a verifier");
    assert_hidden(&format!("{pending:?}"), verifier, &stored);
    true
}

fn assert_same(again: &Result<SecretString, InputError>, stored: &SecretString) {
    let again = again.as_ref().map(SecretString::expose);
    assert_eq!(again.ok(), Some(stored.expose()), "the second text is the first");
}

/// Checks that `shown` lacks a secret, if it is long enough and no other member of the record has the same
/// text: libFuzzer copies texts from one place to another.
fn assert_hidden(shown: &str, secret: &str, stored: &SecretString) {
    let is_telling = secret.len() >= 16 && stored.expose().matches(secret).count() == 1;
    assert!(!is_telling || !shown.contains(secret), "a secret in {shown}");
}

/// The error of a refused record has no control characters and quotes nothing.
fn refused(error: &InputError) -> bool {
    let shown = error.to_string();
    assert!(shown.len() < 200 && !shown.chars().any(char::is_control), "{shown:?}");
    false
}
