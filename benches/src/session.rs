//! A stored session, a request with it, and the engine that makes the request without a driver.

use atproto_oauth_core::{Client, Scopes, Session};
use atproto_sansio::{Body, Call, System, drive};
use bytes::Bytes;
use http::{Request, Response};

/// The path and query of all requests.
pub const PATH: &str = "/xrpc/com.atproto.repo.listRecords?collection=app.bsky.feed.post&limit=50";

const SESSION: &str = include_str!("../../crates/atproto-oauth-core/tests/session.json");

/// The client of all sessions.
pub fn client() -> Client {
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    Client::loopback(scopes).development().build().unwrap()
}

/// The JSON of a session of an account whose PDS is at `origin`. Its access token is valid for decades.
pub fn stored(origin: &str) -> String {
    let session = SESSION.replace("https://pds.example.com", origin);
    session.replace("http://localhost\"", &format!("{}\"", client().client_id()))
}

/// A request of a program, with two headers.
pub fn request() -> Request<Body> {
    let request = Request::get(PATH).header("accept", "application/json");
    request.header("accept-language", "en").body(Body::default()).unwrap()
}

/// Makes one request with `session`, and answers it as a PDS whose nonce stays the same.
pub fn make_request(system: &System, client: &Client, session: &Session) {
    let machine = client.request(session, request()).unwrap();
    let reply = drive(system, machine, |call| match call {
        Call::Http(call) => call.respond.with(Ok(response())),
        other => unreachable!("a request with a session asks only for HTTP: {other:?}"),
    });
    drop(reply.unwrap());
}

fn response() -> Response<Bytes> {
    Response::builder()
        .header("content-type", "application/json")
        .header("dpop-nonce", "a-nonce-of-the-server")
        .body(Bytes::from_static(b"{}"))
        .unwrap()
}
