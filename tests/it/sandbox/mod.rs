//! Whole procedures in a network in memory: what takes a real network no socket can show, and what no
//! real network lets happen.

mod in_turn;
mod latency;
mod on_sockets;
mod together;

use atproto_oauth_core::{
    Authorization, CallbackError, CallbackParams, Client, LoggedIn, Scopes, Session, Subject, xrpc,
};
use atproto_oauth_sandbox::Sandbox;
use atproto_sansio::Body;
use http::Request;

const ALICE: &str = "alice.example.com";
const CAROL: &str = "carol.example.com";
/// Her server is behind an entryway.
const RITA: &str = "rita.example.com";

fn loopback() -> Client {
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    Client::loopback(scopes).redirect_path("/callback").build().unwrap()
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
    xrpc::query("com.atproto.server.getSession", [("", ""); 0]).unwrap()
}

/// The status of such a call.
fn status(sandbox: &mut Sandbox, client: &Client, session: &Session) -> u16 {
    let answer = sandbox.run(client.request(session, who_am_i()).unwrap()).unwrap();
    answer.output.status().as_u16()
}
