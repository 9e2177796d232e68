//! A stored session: reading it, and a proof of it before and after.

use std::hint::black_box;

use atproto_keys::RingKeys;
use atproto_oauth_core::{Client, Scopes, Session};
use atproto_sansio::Body;
use bytes::Bytes;
use http::Request;

use crate::keys::{JWK, dpop_key};
use crate::proofs;
use crate::rounds::{Work, alternate};
use crate::table::{Goal, Report};

const ROUNDS: usize = 4000;

/// The path of all requests.
pub(crate) const PATH: &str =
    "/xrpc/com.atproto.repo.listRecords?collection=app.bsky.feed.post&limit=50";

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
    let client_id = client().client_id().to_owned();
    let stored = serde_json::json!({
        "version": 1,
        "session_id": "cbD2vtP5uteIJf-tLuA-Xw",
        "client_id": client_id,
        "did": "did:plc:5yfp67yaupx5labshxpzaoij",
        "handle": "alice.example.com",
        "handle_verified_at": 1_767_225_600,
        "pds": origin,
        "issuer": origin,
        "last_verified_at": 1_767_225_600,
        "access_token": proofs::TOKEN,
        "expires_at": 4_102_444_800_u64,
        "refresh_token": "ref-QLrUclMbueZYIWd21zkrINxVc15vwiw-yj2rN_S2aVo",
        "auth": {"method": "none"},
        "revocation_endpoint": format!("{origin}/oauth/revoke"),
        "scopes": "atproto transition:generic",
        "created_at": 1_767_225_600,
        "updated_at": 1_767_225_600,
        "dpop_key": serde_json::from_str::<serde_json::Value>(JWK).unwrap(),
    });
    Session::from_json(&stored.to_string()).unwrap()
}

/// A request of a program, with two headers.
pub(crate) fn request() -> Request<Body> {
    let request = Request::get(PATH).header("accept", "application/json");
    request.header("accept-language", "en").body(Body::Bytes(Bytes::new())).unwrap()
}
