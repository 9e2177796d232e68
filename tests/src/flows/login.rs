//! A complete session: login, requests, refresh and logout.

use atproto_oauth_core::{Revocation, Session, xrpc};
use serde_json::{Value, json};

use crate::flows::{Stage, Wire, who_am_i};

/// A PNG of one pixel.
const IMAGE: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, b'I', b'D', b'A', b'T',
    0x78, 0x9c, 0x63, 0xf8, 0xcf, 0xc0, 0xf0, 0x1f, 0, 5, 0, 1, 0xff, 0x89, 0x99, 0x3d, 0x1d, 0, 0,
    0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

pub fn alice_logs_in_writes_refreshes_and_logs_out(stage: &dyn Stage) {
    let client = stage.client();
    let alice = stage.account("alice");
    let mut wire = Wire::of(stage, &alice.pds);
    let begun = stage.begin(&*client, &alice.handle);
    assert_eq!(
        wire.step_documents_first(),
        [
            "GET /.well-known/oauth-authorization-server 200",
            "GET /.well-known/oauth-protected-resource 200",
            "POST /oauth/par 400", // asks for a nonce
            "POST /oauth/par 201",
        ]
    );
    let session = stage.finish(&*client, begun, &alice);
    assert_eq!(
        wire.step_documents_first(),
        [
            "GET /.well-known/oauth-authorization-server 200",
            "GET /.well-known/oauth-protected-resource 200",
            "POST /oauth/token 200",
        ]
    );
    assert_eq!(session.did().as_str(), alice.did);
    assert_eq!(session.pds().as_str(), alice.pds);
    assert_eq!(session.issuer().as_str(), alice.issuer);
    assert_eq!(session.handle().unwrap().as_str(), alice.handle);
    assert!(session.scopes().contains("atproto") && session.can_refresh());

    let answer = client.request(&session, who_am_i()).unwrap();
    assert_eq!(xrpc::json::<Value>(&answer).unwrap()["did"], alice.did);

    let upload = xrpc::blob("com.atproto.repo.uploadBlob", &[], "image/png", IMAGE).unwrap();
    let uploaded: Value = xrpc::json(&client.request(&session, upload).unwrap()).unwrap();
    assert_eq!(uploaded["blob"]["mimeType"], "image/png");
    assert_eq!(uploaded["blob"]["size"], IMAGE.len());

    let record = json!({
        "repo": alice.did,
        "collection": "com.example.note",
        "record": {"$type": "com.example.note", "text": "written over OAuth", "image": uploaded["blob"]},
    });
    let create = xrpc::procedure("com.atproto.repo.createRecord", &[], &record).unwrap();
    let created: Value = xrpc::json(&client.request(&session, create).unwrap()).unwrap();
    let start = format!("at://{}/com.example.note/", alice.did);
    assert!(created["uri"].as_str().unwrap().starts_with(&start));

    let cid = uploaded["blob"]["ref"]["$link"].as_str().unwrap();
    let get_blob = xrpc::query("com.atproto.sync.getBlob", &[("did", &*alice.did), ("cid", cid)]);
    let blob = client.request(&session, get_blob.unwrap()).unwrap();
    assert_eq!(&blob.body()[..], IMAGE);
    assert_eq!(
        wire.step(),
        [
            "GET /xrpc/com.atproto.server.getSession 200",
            "POST /xrpc/com.atproto.repo.uploadBlob 200",
            "POST /xrpc/com.atproto.repo.createRecord 200",
            "GET /xrpc/com.atproto.sync.getBlob 200",
        ]
    );

    // The refresh of a stored session invalidates the old tokens.
    let stored = Session::from_json(session.to_json().unwrap().expose()).unwrap();
    let refreshed = client.refresh(stored).unwrap().session;
    assert_eq!(stage.log(&alice.pds).last().unwrap().line(), "POST /oauth/token 200");
    assert_eq!(
        wire.step_documents_first(),
        [
            "GET /.well-known/oauth-authorization-server 200",
            "GET /.well-known/oauth-protected-resource 200",
            "POST /oauth/token 200",
        ]
    );
    assert_eq!(refreshed.session_id(), session.session_id());
    assert_ne!(refreshed.access_token().expose(), session.access_token().expose());
    assert!(client.request(&refreshed, who_am_i()).unwrap().status().is_success());
    let old = client.request(&session, who_am_i()).unwrap();
    assert!(xrpc::is_token_refused(&old), "{old:?}");

    assert_eq!(client.revoke(refreshed.clone()).unwrap(), Revocation::Revoked);
    let dead = client.request(&refreshed, who_am_i()).unwrap();
    assert!(xrpc::is_token_refused(&dead), "{dead:?}");
    assert_eq!(
        wire.step(),
        [
            "GET /xrpc/com.atproto.server.getSession 200",
            "GET /xrpc/com.atproto.server.getSession 401", // the old token
            "POST /oauth/revoke 200",
            "POST /oauth/revoke 200",
            "GET /xrpc/com.atproto.server.getSession 401", // the revoked token
        ]
    );
}

pub fn the_code_exchange_repeats_the_pushed_client_id_redirect_uri_and_key(stage: &dyn Stage) {
    let alice = stage.account("alice");
    stage.clear_log();
    let session = stage.log_in(&*stage.client(), "alice");
    let log = stage.log(&alice.issuer);
    let last = |path: &str| log.iter().rfind(|seen| seen.path == path).unwrap();
    let (pushed, exchanged) = (last("/oauth/par"), last("/oauth/token"));
    // Rules C-36, D-60, E-20
    assert!(pushed.field("redirect_uri").is_some() && pushed.field("client_id").is_some());
    assert_eq!(pushed.field("redirect_uri"), exchanged.field("redirect_uri"));
    assert_eq!(pushed.field("client_id"), exchanged.field("client_id"));
    assert_eq!(pushed.field("login_hint"), Some(&*alice.handle));
    assert_eq!(pushed.field("code_challenge_method"), Some("S256"));
    let jwk: Value = serde_json::from_str(&session.dpop_key().jwk().to_json()).unwrap();
    for seen in [pushed, exchanged] {
        assert_eq!(seen.proof.as_ref().unwrap().header["jwk"], jwk, "{}", seen.line());
    }

    // Each login has a new DPoP key.
    let other = stage.log_in(&*stage.client(), "alice");
    assert_ne!(other.dpop_key().thumbprint(), session.dpop_key().thumbprint());
}

pub fn a_login_may_begin_with_a_did_or_a_server(stage: &dyn Stage) {
    let client = stage.client();
    let alice = stage.account("alice");
    for subject in [&alice.did, &alice.pds] {
        let begun = stage.begin(&*client, subject);
        let session = stage.finish(&*client, begun, &alice);
        assert_eq!(session.did().as_str(), alice.did, "{subject}");
    }
}
