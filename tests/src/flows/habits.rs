//! Whole sessions at servers that behave like those that people run. Each client has its default
//! settings, and learns nothing about the server beforehand.

use atproto_oauth_core::{Revocation, xrpc};
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

pub fn a_session_at_cocoon<S: Sandboxed>(stage: &S) {
    whole_session(stage, Habits::cocoon());
}

pub fn a_session_at_pegasus<S: Sandboxed>(stage: &S) {
    whole_session(stage, Habits::pegasus());
}
