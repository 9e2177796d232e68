//! Cost of a request with a session, in heap allocations of the engine: from the caller's request to the call
//! for the driver, and from the response to the reply.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a failed test panics")]

use std::time::Duration;

use atproto_dpop::P256Keys;
use atproto_oauth_core::{Client, Scopes, Session};
use atproto_sansio::{Body, Call, Env, Flow, MapMemory, Output, SystemEntropy, UnixTime};
use bytes::Bytes;
use http::{Request, Response};

const SESSION: &str = include_str!("session.json");

const PATH: &str = "/xrpc/com.atproto.repo.listRecords?collection=app.bsky.feed.post&limit=50";

fn request(to: &str) -> Request<Body> {
    Request::get(to)
        .header("accept", "application/json")
        .header("accept-language", "en")
        .body(Body::default())
        .unwrap()
}

/// The response of a PDS whose nonce stays the same.
fn response() -> Response<Bytes> {
    Response::builder()
        .header("content-type", "application/json")
        .header("dpop-nonce", "a-nonce-of-the-server")
        .body(Bytes::from_static(b"{}"))
        .unwrap()
}

/// Sends one request, and answers it. Returns the number of allocations, without those of the caller's request
/// and of the response.
fn cost(client: &Client, session: &Session, memory: &MapMemory, to: &str, second: u64) -> u64 {
    let (request, mut answer) = (request(to), Some(response()));
    let counted = allocation_counter::measure(|| {
        let mut flow = Flow::new(client.request(session, request).unwrap());
        loop {
            let mut entropy = SystemEntropy;
            let mut env = Env {
                now: UnixTime::from_secs(1_767_225_700 + second),
                elapsed: Duration::from_secs(second),
                entropy: &mut entropy,
                memory,
                keys: &P256Keys,
            };
            match flow.poll_output(&mut env) {
                Output::Call(Call::Http(call)) => {
                    flow.handle_reply(call.respond.with(Ok(answer.take().unwrap())));
                }
                Output::Done(reply) => break drop(reply.unwrap()),
                other => panic!("{other:?}"),
            }
        }
    });
    counted.count_total
}

#[test]
fn a_request_with_a_known_nonce_allocates_little() {
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    let client = Client::loopback(scopes).build().unwrap();
    let session = Session::from_json(&SESSION.replace("http://localhost", client.client_id()));
    let session = session.unwrap();
    let memory = MapMemory::default();
    // The first request imports the key and learns the nonce, and the second one shares the nonce.
    for _ in 0..2 {
        cost(&client, &session, &memory, PATH, 0);
    }
    assert_eq!(cost(&client, &session, &memory, PATH, 0), 11);
    let url = format!("https://pds.example.com{PATH}");
    assert_eq!(cost(&client, &session, &memory, &url, 0), 11);
    // Each second, the cache gets a new time for the nonce, and copies both.
    assert_eq!(cost(&client, &session, &memory, PATH, 5), 13);
}
