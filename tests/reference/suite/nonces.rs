//! A server may change its nonce between any two requests.

use atproto_oauth_core::{CallbackParams, Revocation, xrpc};
use serde_json::json;

use crate::network::Network;
use crate::wire;

/// A login, a write, a refresh, a read and a log-out.
fn session_from_begin_to_end(network: &Network) {
    let client = network.client();
    let begun = network.begin(&client, "alice.test");
    let callback = network.approve(begun.url.as_str(), "alice.test");
    let params = CallbackParams::parse(&callback).unwrap();
    let session = client.callback(begun.pending, params).unwrap().session;
    let record = json!({
        "repo": session.did(),
        "collection": "com.example.note",
        "record": {"$type": "com.example.note"},
    });
    let create = xrpc::procedure("com.atproto.repo.createRecord", &record).unwrap();
    xrpc::check(&client.request(&session, create).unwrap()).unwrap();
    let session = client.refresh(session).unwrap().session;
    let read = xrpc::query("com.atproto.server.getSession", [("", ""); 0]).unwrap();
    xrpc::check(&client.request(&session, read).unwrap()).unwrap();
    assert_eq!(client.revoke(session).unwrap(), Revocation::Revoked);
}

#[test]
fn the_nonce_may_change_before_any_request() {
    let network = Network::get();
    session_from_begin_to_end(&network);
    let usual = wire::check(&network);
    let proved: Vec<_> = usual.iter().filter(|line| !line.contains("/.well-known/")).collect();
    assert_eq!(proved.len(), 8, "{proved:?}");

    for path in [
        "/oauth/par",
        "/oauth/token",
        "/oauth/revoke",
        "/xrpc/com.atproto.repo.createRecord",
        "/xrpc/com.atproto.server.getSession",
    ] {
        for skip in 0..2 {
            network.clear_log();
            let fault = json!({"pds": "a", "path": path, "action": "reset_nonce", "skip": skip});
            network.ask("/faults", &fault);
            session_from_begin_to_end(&network);
            let seen = wire::check(&network);
            let repeated = seen.len() - usual.len();
            assert!(repeated <= 1, "{path}, {skip} let through: {seen:?}");
            network.ask("/faults", &json!({"pds": "a", "clear": true}));
        }
    }
}

#[test]
fn a_request_is_proved_with_the_nonce_of_the_answer_before() {
    let network = Network::get();
    session_from_begin_to_end(&network);
    // REQUIREMENTS E-31: each response's nonce is the next request's, whatever the status.
    let log = network.log();
    let proved: Vec<_> = log.iter().filter(|entry| entry["dpop"].is_object()).collect();
    for pair in proved.windows(2) {
        let (before, after) = (&pair[0]["dpop_nonce_out"], &pair[1]["dpop"]["nonce"]);
        assert!(before.is_string(), "{}", pair[0]);
        assert_eq!(before, after);
    }
    assert!(proved[0]["dpop"]["nonce"].is_null(), "the first one can't know it");
}
