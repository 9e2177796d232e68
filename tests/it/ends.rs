//! Flows after their end: a further poll panics. Machines and results are `Send`.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use atproto_oauth_core::{
    Adopt, Authorization, Authorize, CallbackError, CallbackParams, Credentials, Error,
    ExchangeCode, LoggedIn, Pending, Refresh, RefreshError, Refreshed, ResourceRequest, Revocation,
    Revoke, Session, Subject, xrpc,
};
use atproto_oauth_tests::replayer::network::Network;
use atproto_sansio::{Flow, Machine, Output};

/// Runs `machine` to its end; then polls its flow, and the machine in a new flow, once more. Both
/// polls must panic.
fn poll_after_end<M: Machine>(network: &mut Network, mut machine: M)
where
    M::Output: Debug,
    M::Error: Debug,
{
    let mut flow = Flow::new(&mut machine);
    loop {
        match flow.poll_output(&mut network.environment.env()) {
            Output::Call(call) => flow.handle_reply(network.answer(call)),
            Output::Wait => panic!("every call was answered"),
            Output::Done(_) => break,
        }
    }
    let again = catch_unwind(AssertUnwindSafe(|| {
        drop(flow.poll_output(&mut network.environment.env()));
    }));
    assert!(again.is_err(), "a flow did not panic when it was polled after its end");
    drop(flow);
    let mut flow = Flow::new(&mut machine);
    let again = catch_unwind(AssertUnwindSafe(|| flow.poll_output(&mut network.environment.env())));
    match again {
        Err(_) => {}
        Ok(output) => {
            panic!("a machine did not panic when it was polled after its end: {output:?}")
        }
    }
}

fn callback(pending: &Pending) -> CallbackParams {
    let state = pending.state();
    CallbackParams::parse(&format!("state={state}&iss=https://pds.example.com&code=c")).unwrap()
}

#[test]
fn an_ended_login_panics_if_it_is_polled() {
    let mut network = Network::new();
    let client = network.client();
    let subject = || Subject::parse("alice.example.com").unwrap();
    poll_after_end(&mut network, client.authorize(subject()));
    network.mutate(|_, _, response| *response.status_mut() = http::StatusCode::BAD_GATEWAY);
    network.environment.forget();
    poll_after_end(&mut network, client.authorize(subject()));
}

#[test]
fn an_ended_callback_panics_if_it_is_polled() {
    let mut network = Network::new();
    let client = network.client();
    let pending = network.pending(&client);
    poll_after_end(&mut network, client.callback(pending.clone(), callback(&pending)));
    // A callback that is rejected before any request, and one whose tokens must be revoked.
    let denied = format!("state={}&error=access_denied", pending.state());
    let denied = CallbackParams::parse(&denied).unwrap();
    poll_after_end(&mut network, client.callback(pending.clone(), denied));
    network.mutate(|_, url, response| {
        if url.ends_with("token") {
            *response.body_mut() = r#"{"access_token":"x","token_type":"Bearer"}"#.into();
        }
    });
    poll_after_end(&mut network, client.callback(pending.clone(), callback(&pending)));
}

#[test]
fn ended_session_procedures_panic_if_they_are_polled() {
    let mut network = Network::new();
    let client = network.client();
    let session = network.session(&client);
    let query = xrpc::query("a.b.c", &[]).unwrap();
    poll_after_end(&mut network, client.request(&session, query).unwrap());
    poll_after_end(&mut network, client.refresh(session.clone()));
    let credentials = Credentials::of(&session).unwrap();
    poll_after_end(&mut network, client.adopt(credentials.clone()));
    poll_after_end(&mut network, client.revoke(session.clone()));
    network.mutate(|_, _, response| *response.status_mut() = http::StatusCode::BAD_GATEWAY);
    poll_after_end(&mut network, client.refresh(session.clone()));
    poll_after_end(&mut network, client.adopt(credentials));
    poll_after_end(&mut network, client.revoke(session));
}

/// Applications run machines in tasks, and send the results to other threads.
#[test]
fn machines_and_their_results_can_be_sent_between_threads() {
    fn sent<T: Send + 'static>() {}
    fn shared<T: Send + Sync + 'static>() {}
    sent::<Flow<Authorize>>();
    sent::<Flow<ExchangeCode>>();
    sent::<Flow<Refresh>>();
    sent::<Flow<Adopt>>();
    sent::<Flow<Revoke>>();
    sent::<Flow<ResourceRequest>>();
    sent::<Authorization>();
    shared::<Pending>();
    shared::<Session>();
    shared::<Credentials>();
    shared::<LoggedIn>();
    shared::<Refreshed>();
    shared::<Revocation>();
    shared::<Error>();
    shared::<CallbackError>();
    shared::<RefreshError>();
    shared::<atproto_oauth_core::Client>();
}
