//! Whole sessions at servers that behave like those that people run. Each client has its default
//! settings, and learns nothing about the server beforehand.

use std::time::Duration;

use atproto_oauth_core::{Revocation, SessionEffect, xrpc};
use atproto_oauth_sandbox::Habits;

use crate::flows::{Adapter, Sandboxed, Stage, who_am_i};

/// Gives the server of alice these habits.
fn set<S: Sandboxed>(stage: &S, habits: Habits) {
    let mut sandbox = stage.sandbox();
    let pds = sandbox.names().pds.clone();
    let pds = sandbox.find_server(&pds).unwrap();
    sandbox.set_habits(pds, habits);
}

/// Returns a client of each kind that a server with these habits accepts.
fn clients<'a>(stage: &'a dyn Stage, habits: &Habits) -> Vec<Box<dyn Adapter + 'a>> {
    // A loopback client listens on a port that its `client_id` does not declare.
    let accepts_loopback = !habits.compares_loopback_ports && !habits.fetches_loopback_clients;
    let loopback = accepts_loopback.then(|| stage.loopback());
    let confidential = Some(stage.confidential());
    [loopback, confidential].into_iter().flatten().map(|client| stage.run(client)).collect()
}

/// Runs a login, a request, a refresh, a request and a logout.
fn whole_session<S: Sandboxed>(stage: &S, habits: Habits) {
    set(stage, habits.clone());
    let stage: &dyn Stage = stage;
    for client in clients(stage, &habits) {
        let about = (client.name(), client.client().client_id());
        let session = stage.log_in(&*client, "alice");
        xrpc::check(&client.request(&session, who_am_i()).unwrap()).unwrap();
        let refreshed = client.refresh(session).unwrap();
        let session = refreshed.session;
        xrpc::check(&client.request(&session, who_am_i()).unwrap()).unwrap();
        assert_eq!(client.revoke(session).unwrap(), Revocation::Revoked, "{about:?}");
    }
}

pub fn a_session_at_tranquil<S: Sandboxed>(stage: &S) {
    whole_session(stage, Habits::tranquil());
}

pub fn a_session_at_cirrus<S: Sandboxed>(stage: &S) {
    whole_session(stage, Habits::cirrus());
}

pub fn a_session_at_ezpds<S: Sandboxed>(stage: &S) {
    whole_session(stage, Habits::ezpds());
}

pub fn a_session_at_cocoon<S: Sandboxed>(stage: &S) {
    whole_session(stage, Habits::cocoon());
}

pub fn a_session_at_pegasus<S: Sandboxed>(stage: &S) {
    whole_session(stage, Habits::pegasus());
}

/// The habits of all servers other than the reference server.
fn all() -> [Habits; 5] {
    [Habits::tranquil(), Habits::cirrus(), Habits::ezpds(), Habits::cocoon(), Habits::pegasus()]
}

pub fn a_clock_that_is_some_seconds_off_is_tolerated_by_each_server<S: Sandboxed>(stage: &S) {
    // Without knowledge of the offset: the request is not repeated, and a code is not lost.
    for is_ahead in [true, false] {
        for habits in all() {
            {
                let mut sandbox = stage.sandbox();
                let pds = sandbox.names().pds.clone();
                let pds = sandbox.find_server(&pds).unwrap();
                let by = Duration::from_secs(8);
                match is_ahead {
                    true => sandbox.set_server_clock_ahead(pds, by),
                    false => sandbox.set_server_clock_behind(pds, by),
                }
                // Until then, the sandbox remembers fetched documents by this server's clock.
                sandbox.forget_clients(pds);
                sandbox.clear_log();
            }
            whole_session(stage, habits);
            let refused = |error: &str| ["invalid_dpop_proof", "InvalidRequest"].contains(&error);
            let sandbox = stage.sandbox();
            let errors = sandbox.requests().filter_map(|exchange| exchange.error());
            assert_eq!(errors.filter(|error| refused(error)).count(), 0, "ahead: {is_ahead}");
        }
    }
}

pub fn an_expired_access_token_is_recognized_at_each_server<S: Sandboxed>(stage: &S) {
    let as_stage: &dyn Stage = stage;
    let issuer = as_stage.account("alice").issuer;
    for habits in all() {
        set(stage, habits.clone());
        for client in clients(stage, &habits) {
            as_stage.set_access_token_lifetime(&issuer, Duration::ZERO);
            let session = as_stage.log_in(&*client, "alice");
            let refused = client.request(&session, who_am_i()).unwrap();
            assert!(xrpc::is_token_refused(&refused), "{habits:?}: {refused:?}");
            as_stage.set_access_token_lifetime(&issuer, Duration::from_secs(3600));
            let session = client.refresh(session).unwrap().session;
            xrpc::check(&client.request(&session, who_am_i()).unwrap()).unwrap();
        }
    }
}

pub fn a_dead_refresh_token_ends_the_session_only_with_a_standard_error<S: Sandboxed>(stage: &S) {
    let as_stage: &dyn Stage = stage;
    for habits in all() {
        set(stage, habits.clone());
        for client in clients(stage, &habits) {
            let session = as_stage.log_in(&*client, "alice");
            stage.sandbox().end_sessions(session.did().as_str());
            let failed = client.refresh(session).unwrap_err();
            let is_named = habits.dead_refresh_token.error == "invalid_grant";
            // An error that no specification defines does not prove that the session is over.
            let expected = if is_named { SessionEffect::Dead } else { SessionEffect::Ambiguous };
            assert_eq!(failed.effect, expected, "{habits:?}: {failed:?}");
        }
    }
}
