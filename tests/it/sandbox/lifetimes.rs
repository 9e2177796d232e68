//! Lifetimes of access tokens and sessions.

use std::time::Duration;

use atproto_oauth_core::{SessionEffect, xrpc};
use atproto_oauth_sandbox::Sandbox;

use crate::sandbox::{ALICE, confidential, log_in, loopback, server, status, who_am_i};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn an_expired_access_token_is_rejected_and_can_be_refreshed() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let pds = server(&sandbox, &sandbox.names().pds);
    sandbox.set_access_token_lifetime(pds, Duration::from_secs(600));
    let session = log_in(&mut sandbox, &client, ALICE);
    assert!(!session.needs_refresh(sandbox.now()));
    assert_eq!(status(&mut sandbox, &client, &session), 200);
    sandbox.advance(Duration::from_secs(601));
    assert!(session.needs_refresh(sandbox.now()));
    let refused = sandbox.run(client.request(&session, who_am_i()).unwrap()).unwrap().response;
    assert!(xrpc::is_token_refused(&refused), "{refused:?}");
    let session = sandbox.run(client.refresh(session)).unwrap().session;
    assert!(!session.needs_refresh(sandbox.now()));
    assert_eq!(status(&mut sandbox, &client, &session), 200);
}

#[test]
fn a_session_of_a_public_client_ends_after_two_weeks() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let pds = server(&sandbox, &sandbox.names().pds);
    let mut session = log_in(&mut sandbox, &client, ALICE);
    // Refreshes do not prolong the session.
    for day in 1..=13 {
        sandbox.advance(DAY);
        session = sandbox.run(client.refresh(session)).unwrap().session;
        assert_eq!(status(&mut sandbox, &client, &session), 200, "day {day}");
    }
    sandbox.advance(DAY + Duration::from_secs(1));
    let failed = sandbox.run(client.refresh(session.clone())).unwrap_err();
    assert_eq!(failed.effect, SessionEffect::Dead);
    assert_eq!(failed.error.oauth_error_code(), Some("invalid_grant"));
    assert_eq!(sandbox.sessions(pds), 0);
    assert_eq!(status(&mut sandbox, &client, &session), 401);
}

#[test]
fn an_unused_session_of_a_confidential_client_ends_after_three_months() {
    let (mut sandbox, client) = (Sandbox::new(1), confidential());
    sandbox.publish_client(&client);
    let mut session = log_in(&mut sandbox, &client, ALICE);
    for _ in 0..4 {
        sandbox.advance(DAY * 90);
        session = sandbox.run(client.refresh(session)).unwrap().session;
        assert_eq!(status(&mut sandbox, &client, &session), 200);
    }
    sandbox.advance(DAY * 92);
    let failed = sandbox.run(client.refresh(session)).unwrap_err();
    assert_eq!(failed.effect, SessionEffect::Dead);
}

#[test]
fn a_session_of_a_confidential_client_ends_after_two_years() {
    let (mut sandbox, client) = (Sandbox::new(1), confidential());
    sandbox.publish_client(&client);
    let mut session = log_in(&mut sandbox, &client, ALICE);
    for _ in 0..10 {
        sandbox.advance(DAY * 73);
        session = sandbox.run(client.refresh(session)).unwrap().session;
    }
    sandbox.advance(DAY);
    let failed = sandbox.run(client.refresh(session)).unwrap_err();
    assert_eq!(failed.effect, SessionEffect::Dead);
}
