//! Keys of confidential clients: remote signers, rotation, and publication.

use std::sync::Arc;
use std::time::Duration;

use atproto_dpop::{Jwk, P256Keys};
use atproto_oauth_core::{ClientKey, Error, SessionEffect, SessionError};
use atproto_oauth_sandbox::{By, Exchange, Sandbox, Seen};
use atproto_sansio::{Keys, Signer, SystemEntropy};

use crate::sandbox::{ALICE, begin, confidential_with, log_in, server, status};

fn signer() -> Arc<dyn Signer> {
    P256Keys.generate(&mut SystemEntropy)
}

/// Returns the URLs that servers fetched.
fn fetched(sandbox: &Sandbox) -> Vec<String> {
    let by_server = |seen: &Seen| match seen {
        Seen::Request(exchange) if exchange.by != By::Client => Some(exchange.url.to_string()),
        _ => None,
    };
    sandbox.log().iter().filter_map(by_server).collect()
}

#[test]
fn a_remote_signer_signs_every_assertion() {
    let safe = signer();
    let key = ClientKey::remote("the key in the safe", Jwk::new(*safe.public()).unwrap());
    let client = confidential_with([key.clone()]);
    let mut sandbox = Sandbox::new(1);
    sandbox.publish_client(&client);
    let login = client.authorize(ALICE.parse().unwrap());
    assert!(sandbox.run(login).is_err(), "the process has no remote signer");
    sandbox.process().add_remote_key("the key in the safe", safe);

    let session = log_in(&mut sandbox, &client, ALICE);
    assert_eq!(
        fetched(&sandbox),
        [client.client_id()],
        "the server fetches the metadata once, and caches it"
    );
    assert_eq!(status(&mut sandbox, &client, &session), 200);
    let session = sandbox.run(client.refresh(session)).unwrap().session;
    let _ = sandbox.run(client.revoke(session)).unwrap();
    // Two pushed requests, code exchange, refresh, revocation of two tokens.
    let assertions: Vec<_> = sandbox.requests().filter_map(Exchange::assertion).collect();
    assert_eq!(assertions.len(), 6);
    assert!(assertions.iter().all(|assertion| assertion.header["kid"] == key.kid()));
}

#[test]
fn a_session_needs_the_client_key_of_its_login() {
    let [first, second] = [1, 2].map(|_| ClientKey::new(signer()).unwrap());
    let old = confidential_with([first.clone()]);
    let mut sandbox = Sandbox::new(1);
    let pds = server(&sandbox, &sandbox.names().pds);
    sandbox.publish_client(&old);
    let session = log_in(&mut sandbox, &old, ALICE);

    // While both keys are published, the old session uses the old key.
    let both = confidential_with([second.clone(), first.clone()]);
    sandbox.publish_client(&both);
    sandbox.forget_clients(pds);
    let session = sandbox.run(both.refresh(session)).unwrap().session;
    let newer = log_in(&mut sandbox, &both, ALICE);
    assert_eq!(sandbox.sessions(pds), 2);

    // Without the old key, the refresh fails before any request, and the session is kept.
    let new = confidential_with([second]);
    sandbox.clear_log();
    let failed = sandbox.run(new.refresh(session.clone())).unwrap_err();
    let is_reported = matches!(failed.error, Error::Session(SessionError::NoSuchKey { .. }));
    assert!(is_reported && failed.effect == SessionEffect::Keep, "{failed:?}");
    assert_eq!(sandbox.log().len(), 0);
    assert!(sandbox.run(new.refresh(newer)).is_ok());

    // If only the published document lacks the key, the server rejects the assertion, and does not
    // end the session.
    sandbox.publish_client(&new);
    sandbox.forget_clients(pds);
    let failed = sandbox.run(old.refresh(session.clone())).unwrap_err();
    assert_eq!(failed.error.oauth_error_code(), Some("invalid_client"));
    assert_eq!(failed.effect, SessionEffect::Keep);
    assert_eq!(sandbox.sessions(pds), 2);
    // After the key is published again, the session can be refreshed.
    sandbox.publish_client(&both);
    sandbox.forget_clients(pds);
    assert!(sandbox.run(both.refresh(session)).is_ok());
}

#[test]
fn a_client_that_is_not_published_is_refused() {
    let client = confidential_with([ClientKey::new(signer()).unwrap()]);
    let mut sandbox = Sandbox::new(1);
    let refused = sandbox.run(client.authorize(ALICE.parse().unwrap())).unwrap_err();
    assert_eq!(refused.oauth_error_code(), Some("invalid_client_metadata"));
    sandbox.publish_client(&client);
    let _ = begin(&mut sandbox, &client, ALICE);
}

#[test]
fn a_remote_signer_takes_its_time() {
    let safe = signer();
    let key = ClientKey::remote("the key in the safe", Jwk::new(*safe.public()).unwrap());
    let client = confidential_with([key]);
    let mut sandbox = Sandbox::new(1);
    sandbox.publish_client(&client);
    let time = Duration::from_secs(3);
    sandbox.process().add_slow_remote_key("the key in the safe", Arc::clone(&safe), time);
    let before = sandbox.now();
    let _ = begin(&mut sandbox, &client, ALICE);
    // One assertion for each of the two pushed requests.
    assert_eq!(sandbox.now().since(before), time * 2);

    // With the longest time, the signer hangs; the login ends with an error.
    sandbox.process().add_slow_remote_key("the key in the safe", safe, Duration::MAX);
    let before = sandbox.now();
    assert!(sandbox.run(client.authorize(ALICE.parse().unwrap())).is_err());
    assert!(sandbox.now().since(before) < Duration::from_secs(120));
}

#[test]
fn a_refresh_whose_signer_hangs_keeps_the_session() {
    // Rule P-15: no request was sent, so the refresh token was not spent.
    let safe = signer();
    let key = ClientKey::remote("the key in the safe", Jwk::new(*safe.public()).unwrap());
    let client = confidential_with([key]);
    let mut sandbox = Sandbox::new(1);
    sandbox.publish_client(&client);
    sandbox.process().add_remote_key("the key in the safe", Arc::clone(&safe));
    let session = log_in(&mut sandbox, &client, ALICE);
    let hangs = Duration::MAX;
    sandbox.process().add_slow_remote_key("the key in the safe", Arc::clone(&safe), hangs);
    let failed = sandbox.run(client.refresh(session.clone())).unwrap_err();
    assert_eq!(failed.effect, SessionEffect::Keep, "{failed:?}");
    assert!(failed.is_retryable());
    sandbox.process().add_remote_key("the key in the safe", safe);
    assert!(sandbox.run(client.refresh(session)).is_ok());
}
