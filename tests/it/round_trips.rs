//! The longest chain of requests that wait for each other, which is what a user waits for: every
//! call takes one unit of time, and calls that are outstanding together take it together.

use std::time::Duration;

use atproto_oauth_core::{Authorization, CallbackParams, Client, Session, Subject, xrpc};
use atproto_oauth_tests::network::Network;
use atproto_oauth_tests::proof::Proof;
use atproto_sansio::{Call, Flow, HttpCall, Machine, Output, Reply};
use bytes::Bytes;
use http::Response;

/// Runs a machine as an async driver does: how long the chain was, and its end. A server whose
/// nonce is not `nonce` asks for it.
fn chain<M: Machine>(
    network: &mut Network,
    nonce: &str,
    machine: M,
) -> (usize, Result<M::Output, M::Error>) {
    let mut flow = Flow::new(machine);
    let (mut outstanding, mut units) = (Vec::new(), 0);
    loop {
        match flow.poll_output(&mut network.environment.env()) {
            Output::Call(call) => outstanding.push(call),
            Output::Wait => {
                units += 1;
                for call in outstanding.drain(..) {
                    flow.handle_reply(answer(network, nonce, call));
                }
            }
            Output::Done(result) => return (units, result),
        }
    }
}

fn answer(network: &mut Network, nonce: &str, call: Call) -> Reply {
    match call {
        Call::Http(call) if wants_nonce(&call, nonce) => {
            let (status, challenge) = match call.request.uri().path().starts_with("/xrpc/") {
                true => (401, r#"DPoP error="use_dpop_nonce""#),
                false => (400, "none"),
            };
            let response = Response::builder()
                .status(status)
                .header("www-authenticate", challenge)
                .header("dpop-nonce", nonce)
                .body(Bytes::from_static(br#"{"error":"use_dpop_nonce"}"#));
            call.respond.with(Ok(response.unwrap()))
        }
        call => network.answer(call),
    }
}

fn wants_nonce(call: &HttpCall, nonce: &str) -> bool {
    let proof = call.request.headers().get("dpop");
    proof.is_some_and(|proof| {
        Proof::read(proof.to_str().unwrap()).unwrap().text("nonce") != Some(nonce)
    })
}

/// The nonce that the network of these tests gives.
const NONCE: &str = "nonce";

fn subject(text: &str) -> Subject {
    Subject::parse(text).unwrap()
}

fn begin(network: &mut Network, client: &Client, text: &str) -> (usize, Authorization) {
    let (units, begun) = chain(network, NONCE, client.authorize(subject(text)));
    (units, begun.unwrap())
}

fn finish(
    network: &mut Network,
    client: &Client,
    begun: Authorization,
    nonce: &str,
) -> (usize, Session) {
    let state = begun.pending.state();
    let params = format!("state={state}&iss=https://pds.example.com&code=c-1");
    let callback = client.callback(begun.pending, CallbackParams::parse(&params).unwrap());
    let (units, finished) = chain(network, nonce, callback);
    (units, finished.unwrap().session)
}

const HANDLE: &str = "alice.example.com";
const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const SERVER: &str = "https://pds.example.com";

#[test]
fn a_cold_login_is_as_short_as_it_can_be() {
    for (text, expected) in [(HANDLE, 5), (DID, 4), (SERVER, 3)] {
        let mut network = Network::new();
        let client = network.client();
        assert_eq!(begin(&mut network, &client, text).0, expected, "{text}");
        // The same account again, soon: only the request itself.
        assert_eq!(begin(&mut network, &client, text).0, 1, "{text} again");
    }
}

#[test]
fn a_login_at_a_known_server_asks_only_who_it_is() {
    let mut network = Network::new();
    let client = network.client();
    let _ = begin(&mut network, &client, SERVER);
    assert_eq!(begin(&mut network, &client, HANDLE).0, 3);
}

#[test]
fn a_callback_verifies_beside_the_token() {
    for (text, expected) in [(HANDLE, 2), (SERVER, 3)] {
        let mut network = Network::new();
        let client = network.client();
        let begun = begin(&mut network, &client, text).1;
        assert_eq!(finish(&mut network, &client, begun, NONCE).0, expected, "{text}");
    }
    // The nonce has changed meanwhile: that costs a login that began at a server one more.
    for (text, expected) in [(HANDLE, 2), (SERVER, 4)] {
        let mut network = Network::new();
        let client = network.client();
        let begun = begin(&mut network, &client, text).1;
        assert_eq!(finish(&mut network, &client, begun, "another").0, expected, "{text}");
    }
}

#[test]
fn a_refresh_and_a_request_are_as_short_as_they_can_be() {
    let mut network = Network::new();
    let client = network.client();
    let session = network.session(&client);
    let read = || xrpc::query("com.atproto.server.getSession", [("", ""); 0]).unwrap();
    let request = || client.request(&session, read()).unwrap();
    assert_eq!(chain(&mut network, NONCE, request()).0, 1);
    assert_eq!(chain(&mut network, NONCE, client.refresh(session.clone())).0, 2);
    network.environment.wait(Duration::from_secs(600));
    assert_eq!(chain(&mut network, NONCE, client.refresh(session.clone())).0, 3, "no nonce");
    network.environment.wait(Duration::from_secs(600));
    assert_eq!(chain(&mut network, NONCE, request()).0, 2, "no nonce");
}
