//! A stored session: reading it, and a proof of it before and after.

use std::hint::black_box;

use atproto_keys::RingKeys;
use atproto_oauth_core::{Client, Scopes, Session};
use atproto_sansio::Body;
use http::Request;

use crate::keys::dpop_key;
use crate::proofs;
use crate::rounds::{Work, alternate};
use crate::table::{Goal, Report};

const ROUNDS: usize = 4000;

/// The path of all requests.
pub(crate) const PATH: &str =
    "/xrpc/com.atproto.repo.listRecords?collection=app.bsky.feed.post&limit=50";

/// The session of the tests that count allocations. Its key is `JWK`.
const STORED: &str = include_str!("../../../crates/atproto-oauth-core/tests/session.json");

pub(crate) fn measure(report: &mut Report) {
    let before = dpop_key(&RingKeys);
    let json = at("https://pds.example.com").to_json().unwrap();
    let after = Session::from_json(json.expose()).unwrap().dpop_key().clone();
    assert_eq!(before.thumbprint(), after.thumbprint());
    let works = vec![
        Work::new("before", proofs::alone(before, RingKeys)),
        Work::new("after", proofs::alone(after, RingKeys)),
        Work::new("read", || drop(black_box(Session::from_json(black_box(json.expose()))))),
    ];
    let times = alternate(ROUNDS, works);
    let name = "proof of a session that was stored and read, over one before, ring";
    report.add(name, times.low("after") / times.low("before"), "", Goal::AtMost(1.05));
    report.add("`Session::from_json`", times.low("read"), " µs", Goal::AtMost(16.0));
}

/// The client of all sessions.
pub(crate) fn client() -> Client {
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    Client::loopback(scopes).development().build().unwrap()
}

/// A session with the account's PDS at `origin`, as a store keeps it.
pub(crate) fn at(origin: &str) -> Session {
    let stored = STORED.replace("https://pds.example.com", origin);
    let stored = stored.replace("http://localhost\"", &format!("{}\"", client().client_id()));
    Session::from_json(&stored).unwrap()
}

/// A request of a program, with two headers.
pub(crate) fn request() -> Request<Body> {
    let request = Request::get(PATH).header("accept", "application/json");
    request.header("accept-language", "en").body(Body::default()).unwrap()
}
