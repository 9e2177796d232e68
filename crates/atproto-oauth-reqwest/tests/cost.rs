//! Cost of a request with a session over a kept connection, in heap allocations beyond those of the same request
//! by reqwest alone, with constant headers.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::net::Ipv4Addr;

use atproto_oauth_core::{Client, Scopes, Session};
use atproto_oauth_reqwest::{Driver, P256Keys, StatelessClient};
use atproto_sansio::{Body, System};
use atproto_sansio_conformance::Server;
use http::Request;
use tokio::runtime::{Builder, Runtime};

const SESSION: &str = include_str!("../../atproto-oauth-core/tests/session.json");

const PATH: &str = "/xrpc/com.atproto.repo.listRecords?collection=app.bsky.feed.post&limit=50";

const REPLY: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
    dpop-nonce: a-nonce-of-the-server\r\ncontent-length: 2\r\n\r\n{}";

/// The least number of allocations of `send` in this thread, which is the runtime's only thread. Some requests cost
/// more, because the nonce gets a new time each second, and buffers of the runtime grow.
fn cost(mut send: impl FnMut()) -> u64 {
    let costs = (0..20).map(|_| allocation_counter::measure(&mut send).count_total);
    costs.min().unwrap()
}

fn cost_of_reqwest(runtime: &Runtime, server: &Server) -> u64 {
    let url = format!("http://localhost:{}{PATH}", server.address.port());
    let tls = rustls::ClientConfig::builder_with_provider(
        rustls::crypto::ring::default_provider().into(),
    );
    let tls = tls.with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let client = reqwest::Client::builder()
        .no_proxy()
        .resolve("localhost", server.address)
        .user_agent("a program")
        .tls_backend_preconfigured(tls)
        .build()
        .unwrap();
    cost(|| {
        runtime.block_on(Box::pin(async {
            let request = client
                .get(&url)
                .header("accept", "application/json")
                .header("authorization", "DPoP of-a-session")
                .header("dpop", "of-a-key");
            let reply = request.send().await.unwrap();
            assert_eq!(&*reply.bytes().await.unwrap(), b"{}");
        }));
    })
}

fn session_at(pds: &str) -> (StatelessClient, Session) {
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    let client = Client::loopback(scopes).development().build().unwrap();
    let session = SESSION.replace("http://localhost", client.client_id());
    let session = Session::from_json(&session.replace("https://pds.example.com", pds)).unwrap();
    let driver = Driver::builder(System::new(P256Keys)).development();
    let driver = driver.resolve("localhost", [Ipv4Addr::LOCALHOST.into()]).build();
    (StatelessClient::with_driver(client, driver), session)
}

fn request() -> Request<Body> {
    let request = Request::get(PATH).header("accept", "application/json");
    request.body(Body::default()).unwrap()
}

fn cost_of_session(runtime: &Runtime, server: &Server) -> u64 {
    let (client, session) = session_at(&format!("http://localhost:{}", server.address.port()));
    cost(|| {
        runtime.block_on(Box::pin(async {
            let reply = client.request(&session, request()).await.unwrap();
            assert_eq!(&**reply.response.body(), b"{}");
        }));
    })
}

#[test]
fn a_request_with_a_session_allocates_little_more_than_reqwest() {
    let server = Server::replying(REPLY);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (bare, session) = (cost_of_reqwest(&runtime, &server), cost_of_session(&runtime, &server));
    assert_eq!(session - bare, 20, "{session} instead of {bare}");
}

/// A program moves the future several times before it is polled.
#[test]
fn the_future_of_a_request_is_small() {
    let (client, session) = session_at("http://localhost:2583");
    let size = size_of_val(&client.request(&session, request()));
    assert!(size < 2048, "{size} bytes");
}
