//! Cost of a request with a session over a kept connection, in heap allocations beyond those of the same request
//! by ureq alone, with constant headers.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::net::Ipv4Addr;

use atproto_oauth_core::{Client, Scopes, Session};
use atproto_oauth_ureq::{Driver, P256Keys, StatelessClient};
use atproto_sansio::{Body, System};
use atproto_sansio_conformance::Server;
use http::Request;

const SESSION: &str = include_str!("../../atproto-oauth-core/tests/session.json");

const PATH: &str = "/xrpc/com.atproto.repo.listRecords?collection=app.bsky.feed.post&limit=50";

const REPLY: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
    dpop-nonce: a-nonce-of-the-server\r\ncontent-length: 2\r\n\r\n{}";

/// The least number of allocations of `send`. Some requests cost more, because the nonce gets a new time each
/// second.
fn cost(mut send: impl FnMut()) -> u64 {
    let costs = (0..20).map(|_| allocation_counter::measure(&mut send).count_total);
    costs.min().unwrap()
}

fn cost_of_ureq(url: &str) -> u64 {
    let config = ureq::Agent::config_builder().proxy(None).user_agent("a program");
    let agent = ureq::Agent::new_with_config(config.build());
    cost(|| {
        let request = agent
            .get(url)
            .header("accept", "application/json")
            .header("authorization", "DPoP of-a-session")
            .header("dpop", "of-a-key");
        let mut reply = request.call().unwrap();
        assert_eq!(reply.body_mut().read_to_vec().unwrap(), b"{}");
    })
}

fn cost_of_session(server: &Server) -> u64 {
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    let client = Client::loopback(scopes).development().build().unwrap();
    let pds = format!("http://localhost:{}", server.address.port());
    let session = SESSION.replace("http://localhost", client.client_id());
    let session = Session::from_json(&session.replace("https://pds.example.com", &pds)).unwrap();
    let driver = Driver::builder(System::new(P256Keys)).development();
    let driver = driver.resolve("localhost", [Ipv4Addr::LOCALHOST.into()]).build();
    let client = StatelessClient::with_driver(client, driver);
    cost(|| {
        let request = Request::get(PATH).header("accept", "application/json");
        let request = request.body(Body::default()).unwrap();
        let reply = client.request(&session, request).unwrap();
        assert_eq!(&**reply.response.body(), b"{}");
    })
}

#[test]
fn a_request_with_a_session_allocates_little_more_than_ureq() {
    let server = Server::replying(REPLY);
    let (bare, session) = (cost_of_ureq(&server.url(PATH)), cost_of_session(&server));
    assert_eq!(session - bare, 4, "{session} instead of {bare}");
}
