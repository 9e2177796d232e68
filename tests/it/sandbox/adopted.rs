//! Credentials that can't be adopted, and the fate of their refresh token.

use atproto_oauth_core::{
    AuthorityError, Client, Credentials, Error, InputError, Origin, RefreshError, SessionEffect,
};
use atproto_oauth_sandbox::{Fault, Sandbox};
use http::StatusCode;
use serde_json::json;

use crate::sandbox::{ALICE, RITA, log_in, loopback, server, status};

const CAROL: &str = "carol.example.com";
const BOB: &str = "bob.example.com";

/// Returns the credentials of a new login.
fn credentials(sandbox: &mut Sandbox, client: &Client, who: &str) -> Credentials {
    let session = log_in(sandbox, client, who);
    sandbox.clear_log();
    Credentials::of(&session).unwrap()
}

fn adopt(sandbox: &mut Sandbox, client: &Client, credentials: &Credentials) -> RefreshError {
    sandbox.run(client.adopt(credentials.clone())).unwrap_err()
}

/// Returns the number of token requests so far.
fn token_requests(sandbox: &Sandbox) -> usize {
    sandbox.requests().filter(|exchange| exchange.path() == "/oauth/token").count()
}

/// Whether the credentials can still be adopted.
fn is_unspent(sandbox: &mut Sandbox, client: &Client, credentials: Credentials) -> bool {
    let adopted = sandbox.run(client.adopt(credentials)).unwrap().session;
    status(sandbox, client, &adopted) == 200
}

#[test]
fn a_did_of_another_server_is_refused_before_the_token_is_sent() {
    // Rule L-03
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let names = sandbox.names().clone();
    let right = credentials(&mut sandbox, &client, ALICE);
    let did = sandbox.did(BOB).unwrap().parse().unwrap();
    let failed = adopt(&mut sandbox, &client, &Credentials { did, ..right.clone() });
    assert_eq!(failed.effect, SessionEffect::Keep);
    assert!(!failed.is_retryable() && failed.error.is_security());
    let Error::Authority(AuthorityError::PdsOfAccount { did, expected, found }) = &failed.error
    else {
        panic!("{failed:?}")
    };
    assert_eq!(did.as_str(), sandbox.did(BOB).unwrap());
    assert_eq!((expected.as_str(), found.as_str()), (&*names.pds, &*names.other_pds));
    assert_eq!(token_requests(&sandbox), 0);
    assert!(is_unspent(&mut sandbox, &client, right));
}

#[test]
fn tokens_for_another_account_of_the_server_are_revoked() {
    // Rule L-03: a DID document can't tell two accounts of one PDS apart, but `sub` does.
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let right = credentials(&mut sandbox, &client, ALICE);
    let did = sandbox.did(CAROL).unwrap().parse().unwrap();
    let failed = adopt(&mut sandbox, &client, &Credentials { did, ..right });
    let is_mismatch =
        matches!(failed.error, Error::Authority(AuthorityError::SubjectMismatch { .. }));
    assert!(is_mismatch, "{failed:?}");
    assert_eq!(failed.effect, SessionEffect::Dead);
    assert!(matches!(failed.revocation, Some(Ok(_))), "{failed:?}");
    let pds = server(&sandbox, &sandbox.names().pds.clone());
    assert_eq!(sandbox.sessions(pds), 0);
}

#[test]
fn an_account_that_has_moved_keeps_its_token_until_the_pds_is_corrected() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let names = sandbox.names().clone();
    let old = credentials(&mut sandbox, &client, RITA);
    let other = server(&sandbox, &names.other_entryway_pds);
    sandbox.migrate(RITA, other);
    let failed = adopt(&mut sandbox, &client, &old);
    assert_eq!(failed.effect, SessionEffect::Keep);
    let Error::Authority(AuthorityError::PdsOfAccount { found, .. }) = failed.error else {
        panic!("{failed:?}")
    };
    assert_eq!(found.as_str(), names.other_entryway_pds);
    assert_eq!(token_requests(&sandbox), 0);
    // The account is behind the same entryway still, which issued the token.
    assert!(is_unspent(&mut sandbox, &client, Credentials { pds: found, ..old }));
}

#[test]
fn a_lost_answer_says_that_the_token_may_be_spent() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let spent = credentials(&mut sandbox, &client, ALICE);
    sandbox.fault(Fault::lose_answer().path("/oauth/token"));
    let failed = adopt(&mut sandbox, &client, &spent);
    assert!(matches!(failed.error, Error::Unanswered { .. }), "{failed:?}");
    assert_eq!(failed.effect, SessionEffect::Ambiguous);
    assert!(!failed.is_retryable() && failed.session.is_none());
    assert!(failed.to_string().contains("may be spent"), "{failed}");
    sandbox.clear_faults();
    assert_eq!(adopt(&mut sandbox, &client, &spent).effect, SessionEffect::Dead);
}

#[test]
fn a_refusal_without_a_meaning_leaves_no_made_up_session() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let unspent = credentials(&mut sandbox, &client, ALICE);
    let refusal = http::Response::builder()
        .status(StatusCode::BAD_REQUEST)
        .header("content-type", "application/json")
        .body(json!({"error": "Odd"}).to_string().into())
        .unwrap();
    sandbox.fault(Fault::answer(refusal).path("/oauth/token"));
    let failed = adopt(&mut sandbox, &client, &unspent);
    assert_eq!(failed.effect, SessionEffect::Ambiguous);
    assert!(failed.session.is_none());
    sandbox.clear_faults();
    assert!(is_unspent(&mut sandbox, &client, unspent));
}

#[test]
fn nothing_is_sent_if_a_server_is_down_or_for_development_only() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let pds = sandbox.names().pds.clone();
    let right = credentials(&mut sandbox, &client, ALICE);
    let local = Origin::parse("http://localhost:2583", true).unwrap();
    let failed = adopt(&mut sandbox, &client, &Credentials { pds: local, ..right.clone() });
    assert!(matches!(failed.error, Error::Input(InputError::Server { .. })), "{failed:?}");
    assert_eq!(failed.effect, SessionEffect::Keep);
    assert_eq!(sandbox.requests().count(), 0);

    let host = pds.strip_prefix("https://").unwrap();
    sandbox.fault(Fault::status(StatusCode::BAD_GATEWAY).host(host).always());
    let failed = adopt(&mut sandbox, &client, &right);
    assert!(failed.is_retryable(), "{failed:?}");
    sandbox.clear_faults();
    assert_eq!(token_requests(&sandbox), 0);
    assert!(is_unspent(&mut sandbox, &client, right));
}
