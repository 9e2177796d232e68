//! Changes of the DPoP nonce between any two requests.

use atproto_oauth_core::{Revocation, xrpc};
use serde_json::json;

use crate::flows::{Stage, Wire, who_am_i};

/// Runs a login, a write, a refresh, a read and a logout.
fn session_from_begin_to_end(stage: &dyn Stage) {
    let client = stage.client();
    let session = stage.log_in(&*client, "alice");
    let record = json!({
        "repo": session.did(),
        "collection": "com.example.note",
        "record": {"$type": "com.example.note"},
    });
    let create = xrpc::procedure("com.atproto.repo.createRecord", &[], &record).unwrap();
    xrpc::check(&client.request(&session, create).unwrap()).unwrap();
    let session = client.refresh(session).unwrap().session;
    xrpc::check(&client.request(&session, who_am_i()).unwrap()).unwrap();
    assert_eq!(client.revoke(session).unwrap(), Revocation::Revoked);
}

pub fn the_nonce_may_change_before_any_request(stage: &dyn Stage) {
    let pds = stage.account("alice").pds;
    let mut wire = Wire::of(stage, &pds);
    session_from_begin_to_end(stage);
    let usual = wire.step();
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
            stage.reset_nonces_before(&pds, path, skip);
            session_from_begin_to_end(stage);
            let seen = wire.step();
            let repeated = seen.len() - usual.len();
            assert!(repeated <= 1, "{path}, {skip} let through: {seen:?}");
            stage.clear_faults();
        }
    }
}

pub fn each_proof_has_the_nonce_of_the_response_before(stage: &dyn Stage) {
    let pds = stage.account("alice").pds;
    stage.clear_log();
    session_from_begin_to_end(stage);
    // Rule E-31: each request has the nonce of the response before it, whatever the status.
    let log = stage.log(&pds);
    let proved: Vec<_> =
        log.iter().filter_map(|seen| Some((seen, seen.proof.as_ref()?.claim("nonce")))).collect();
    for pair in proved.windows(2) {
        let ((before, _), (after, nonce)) = (pair[0], pair[1]);
        assert!(before.nonce.is_some(), "{}", before.line());
        assert_eq!(before.nonce.as_deref(), nonce, "{}", after.line());
    }
    assert_eq!(proved[0].1, None, "the first request has no nonce");
    assert!(proved.len() >= 8, "{proved:?}");
}
