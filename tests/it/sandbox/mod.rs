//! The client in the sandbox: procedures in virtual time, faults, and situations that a real
//! network does not provide.

mod accounts;
mod adopted;
mod clocks;
mod consent;
mod driving;
mod edges;
mod example;
mod faults;
mod habits;
mod in_turn;
mod keys;
mod latency;
mod lifetimes;
mod mangled;
mod memory;
mod network;
mod on_sockets;
mod sessions;
mod together;

use std::sync::LazyLock;

use atproto_dpop::P256Keys;
use atproto_oauth_core::{
    Authorization, CallbackError, CallbackParams, Client, ClientBuilder, ClientKey, LoggedIn,
    Scopes, Session, Subject, xrpc,
};
use atproto_oauth_sandbox::{Sandbox, ServerId};
use atproto_sansio::{Body, Keys, SystemEntropy};
use http::Request;

const ALICE: &str = "alice.example.com";
const CAROL: &str = "carol.example.com";
/// The PDS of this account is behind an entryway.
const RITA: &str = "rita.example.com";

fn scopes() -> Scopes {
    Scopes::parse("atproto transition:generic").unwrap()
}

fn loopback() -> Client {
    Client::loopback(scopes()).redirect_path("/callback").build().unwrap()
}

/// Returns a confidential client with these keys, whose metadata is not yet published.
fn confidential_with(keys: impl IntoIterator<Item = ClientKey>) -> Client {
    let client = Client::web("https://app.client.dev/c.json", scopes())
        .redirect_uri("https://app.client.dev/callback");
    keys.into_iter().fold(client, ClientBuilder::key).build().unwrap()
}

/// Returns a confidential client with one key; the same client each time.
fn confidential() -> Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        confidential_with([ClientKey::new(P256Keys.generate(&mut SystemEntropy)).unwrap()])
    });
    CLIENT.clone()
}

/// Returns the server at an origin.
fn server(sandbox: &Sandbox, origin: &str) -> ServerId {
    sandbox.find_server(origin).unwrap()
}

/// Begins a login in the sandbox's own process; the login must succeed.
fn begin(sandbox: &mut Sandbox, client: &Client, subject: &str) -> Authorization {
    sandbox.run(client.authorize(Subject::parse(subject).unwrap())).unwrap()
}

/// The owner of `handle` consents, and the client handles the callback.
fn finish(
    sandbox: &mut Sandbox,
    client: &Client,
    begun: Authorization,
    handle: &str,
) -> Result<LoggedIn, CallbackError> {
    let back = sandbox.approve(&begun.url, handle).unwrap();
    sandbox.run(client.callback(begun.pending, CallbackParams::parse(&back).unwrap()))
}

fn log_in(sandbox: &mut Sandbox, client: &Client, handle: &str) -> Session {
    let begun = begin(sandbox, client, handle);
    finish(sandbox, client, begun, handle).unwrap().session
}

/// Returns the request `com.atproto.server.getSession`.
fn who_am_i() -> Request<Body> {
    xrpc::query("com.atproto.server.getSession", &[]).unwrap()
}

/// Sends [`who_am_i`] with the session, and returns the status of the response.
fn status(sandbox: &mut Sandbox, client: &Client, session: &Session) -> u16 {
    let answer = sandbox.run(client.request(session, who_am_i()).unwrap()).unwrap();
    answer.response.status().as_u16()
}
