//! Whole procedures in a network in memory: what takes a real network no socket can show, and what no
//! real network lets happen.

mod accounts;
mod clocks;
mod consent;
mod driving;
mod edges;
mod example;
mod faults;
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
/// Her server is behind an entryway.
const RITA: &str = "rita.example.com";

fn scopes() -> Scopes {
    Scopes::parse("atproto transition:generic").unwrap()
}

fn loopback() -> Client {
    Client::loopback(scopes()).redirect_path("/callback").build().unwrap()
}

/// A client with these keys, to be published.
fn confidential_with(keys: impl IntoIterator<Item = ClientKey>) -> Client {
    let client = Client::web("https://app.client.dev/c.json", scopes())
        .redirect_uri("https://app.client.dev/callback".parse().unwrap());
    keys.into_iter().fold(client, ClientBuilder::key).build().unwrap()
}

/// The same one each time.
fn confidential() -> Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        confidential_with([ClientKey::new(P256Keys.generate(&mut SystemEntropy)).unwrap()])
    });
    CLIENT.clone()
}

/// The server at an origin.
fn server(sandbox: &Sandbox, origin: &str) -> ServerId {
    sandbox.find_server(origin).unwrap()
}

/// Begins a login.
fn begin(sandbox: &mut Sandbox, client: &Client, subject: &str) -> Authorization {
    sandbox.run(client.authorize(Subject::parse(subject).unwrap())).unwrap()
}

/// The owner of `handle` consents, and the browser comes back.
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

/// A call that says whose session it is.
fn who_am_i() -> Request<Body> {
    xrpc::query("com.atproto.server.getSession", &[]).unwrap()
}

/// The status of such a call.
fn status(sandbox: &mut Sandbox, client: &Client, session: &Session) -> u16 {
    let answer = sandbox.run(client.request(session, who_am_i()).unwrap()).unwrap();
    answer.response.status().as_u16()
}
