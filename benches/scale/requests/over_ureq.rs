//! Requests over ureq: without credentials by ureq alone, and with a session by the adapter.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use atproto_oauth_benches::session::{PATH, client, request, stored};
use atproto_oauth_core::Session;
use atproto_oauth_store::MemoryStore;
use atproto_oauth_ureq::OAuthClient;

use crate::{Made, TASKS, connections, in_threads};

/// The pool has room for the connections of all threads.
pub(crate) fn alone(origin: &str) -> Made {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .proxy(None)
        .max_idle_connections(TASKS)
        .max_idle_connections_per_host(TASKS)
        .build()
        .into();
    let url = format!("{origin}{PATH}").replace("localhost", "127.0.0.1");
    run(|| {
        let request = agent.get(&url).header("accept", "application/json");
        let mut response = request.header("accept-language", "en").call().unwrap();
        connections(&response.body_mut().read_to_vec().unwrap())
    })
}

pub(crate) fn adapter(origin: &str) -> Made {
    let builder = OAuthClient::builder(client()).store(MemoryStore::new()).plaintext_at_rest();
    let localhost = [Ipv4Addr::LOCALHOST.into()];
    let app = builder.driver(|driver| driver.resolve("localhost", localhost)).build().unwrap();
    let session = app.add(Session::from_json(&stored(origin)).unwrap()).unwrap();
    run(|| connections(session.request(request()).unwrap().response.body()))
}

/// Each request ends in the server's connections so far.
fn run(request: impl Fn() -> usize + Sync) -> Made {
    let (before, last) = (request(), AtomicUsize::new(0));
    let requests = in_threads(|| _ = last.fetch_max(request(), Relaxed));
    // The first request has opened one connection.
    Made { requests, connections: last.into_inner() - before + 1 }
}
