//! A stored session, a request with it, and the engine that makes the request without a driver.

use atproto_oauth_core::{Client, Scopes, Session};
use atproto_sansio::{Body, Call, System, drive};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::json;

/// The path and query of all requests.
pub const PATH: &str = "/xrpc/com.atproto.repo.listRecords?collection=app.bsky.feed.post&limit=50";

/// The client of all sessions.
pub fn client() -> Client {
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    Client::loopback(scopes).development().build().unwrap()
}

/// The JSON of a session of an account whose PDS is at `origin`. Its access token is valid for decades.
pub fn stored(origin: &str) -> String {
    json!({
        "version": 1,
        "session_id": "cbD2vtP5uteIJf-tLuA-Xw",
        "client_id": client().client_id(),
        "did": "did:plc:5yfp67yaupx5labshxpzaoij",
        "handle": "alice.example.com",
        "handle_verified_at": 1_767_225_600,
        "pds": origin,
        "issuer": origin,
        "last_verified_at": 1_767_225_600,
        "access_token": "acc-UbrXoCwMSxZ3uqj3geWSqgd1Lhvmb40ggo1wjn0EhEM",
        "expires_at": 4_102_444_800_u64,
        "refresh_token": "ref-QLrUclMbueZYIWd21zkrINxVc15vwiw-yj2rN_S2aVo",
        "auth": {"method": "none"},
        "revocation_endpoint": format!("{origin}/oauth/revoke"),
        "scopes": "atproto transition:generic",
        "created_at": 1_767_225_600,
        "updated_at": 1_767_225_600,
        "dpop_key": {
            "crv": "P-256", "kty": "EC",
            "d": "ujhj7rULNv3-SdTmi_-k64fURInlAeWA_I_G_gTwhKs",
            "x": "FY1qCVnCZ0r63HloFRmh10NIJSxsR3_9QZdi6C7Cnus",
            "y": "Rht_KyF42S8NTI-uIKxokcEveZuWylv6rkZHYzfNK6c",
        },
    })
    .to_string()
}

/// A request of a program, with two headers.
pub fn request() -> Request<Body> {
    let request = Request::get(PATH).header("accept", "application/json");
    request.header("accept-language", "en").body(Body::Bytes(Bytes::new())).unwrap()
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
