//! From a handle to an authorized write, through a refresh to the end of the session.

use atproto_oauth_core::{Revocation, Session, xrpc};
use serde_json::{Value, json};

use crate::network::Network;
use crate::wire;

/// A PNG of one pixel.
const IMAGE: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, b'I', b'D', b'A', b'T',
    0x78, 0x9c, 0x63, 0xf8, 0xcf, 0xc0, 0xf0, 0x1f, 0, 5, 0, 1, 0xff, 0x89, 0x99, 0x3d, 0x1d, 0, 0,
    0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

#[test]
fn alice_logs_in_writes_refreshes_and_logs_out() {
    let network = Network::get();
    let client = network.client();
    let session = network.log_in(&client, "alice.test");
    let did = network.did("alice.test");
    assert_eq!(session.did().as_str(), did);
    assert_eq!(session.pds().as_str(), network.text("/pds/a/url"));
    assert_eq!(session.issuer().as_str(), network.text("/pds/a/issuer"));
    assert_eq!(session.handle().unwrap().as_str(), "alice.test");
    assert!(session.scopes().contains("atproto") && session.can_refresh());

    let get_session = || xrpc::query("com.atproto.server.getSession", [("", ""); 0]).unwrap();
    let answer = client.request(&session, get_session()).unwrap();
    assert_eq!(xrpc::json::<Value>(&answer).unwrap()["did"], did);

    let upload = xrpc::blob("com.atproto.repo.uploadBlob", "image/png", IMAGE).unwrap();
    let uploaded: Value = xrpc::json(&client.request(&session, upload).unwrap()).unwrap();
    assert_eq!(uploaded["blob"]["mimeType"], "image/png");
    assert_eq!(uploaded["blob"]["size"], IMAGE.len());

    let record = json!({
        "repo": did,
        "collection": "com.example.note",
        "record": {"$type": "com.example.note", "text": "written over OAuth", "image": uploaded["blob"]},
    });
    let create = xrpc::procedure("com.atproto.repo.createRecord", &record).unwrap();
    let created: Value = xrpc::json(&client.request(&session, create).unwrap()).unwrap();
    assert!(created["uri"].as_str().unwrap().starts_with(&format!("at://{did}/com.example.note/")));

    let cid = uploaded["blob"]["ref"]["$link"].as_str().unwrap();
    let get_blob = xrpc::query("com.atproto.sync.getBlob", [("did", did.as_str()), ("cid", cid)]);
    let blob = client.request(&session, get_blob.unwrap()).unwrap();
    assert_eq!(&blob.body()[..], IMAGE);

    // A session survives being written down, and its old tokens end with the refresh.
    let stored = Session::from_json(session.to_json().unwrap().expose()).unwrap();
    let refreshed = client.refresh(stored).unwrap().session;
    assert_eq!(refreshed.session_id(), session.session_id());
    assert_ne!(refreshed.access_token().expose(), session.access_token().expose());
    assert!(client.request(&refreshed, get_session()).unwrap().status().is_success());
    let old = client.request(&session, get_session()).unwrap();
    assert!(xrpc::is_token_refused(&old), "{old:?}");

    assert_eq!(client.revoke(refreshed.clone()).unwrap(), Revocation::Revoked);
    let dead = client.request(&refreshed, get_session()).unwrap();
    assert!(xrpc::is_token_refused(&dead), "{dead:?}");

    assert_eq!(
        wire::check(&network),
        [
            "GET /.well-known/oauth-protected-resource 200",
            "GET /.well-known/oauth-authorization-server 200",
            "POST /oauth/par 400", // asks for a nonce
            "POST /oauth/par 201",
            "POST /oauth/token 200",
            "GET /.well-known/oauth-authorization-server 200",
            "GET /.well-known/oauth-protected-resource 200",
            "GET /xrpc/com.atproto.server.getSession 200",
            "POST /xrpc/com.atproto.repo.uploadBlob 200",
            "POST /xrpc/com.atproto.repo.createRecord 200",
            "GET /xrpc/com.atproto.sync.getBlob 200",
            "GET /.well-known/oauth-protected-resource 200",
            "GET /.well-known/oauth-authorization-server 200",
            "POST /oauth/token 200",
            "GET /xrpc/com.atproto.server.getSession 200",
            "GET /xrpc/com.atproto.server.getSession 401", // the old token
            "POST /oauth/revoke 200",
            "POST /oauth/revoke 200",
            "GET /xrpc/com.atproto.server.getSession 401", // the revoked token
        ]
    );
}

#[test]
fn what_was_pushed_is_what_is_exchanged() {
    let network = Network::get();
    let session = network.log_in(&network.client(), "alice.test");
    let log = network.log();
    let form = |path: &str| {
        let entry = log.iter().rfind(|entry| entry["path"] == path).unwrap();
        (entry["form"].clone(), entry["dpop_header"]["jwk"].clone())
    };
    let (pushed, key) = form("/oauth/par");
    let (exchanged, same_key) = form("/oauth/token");
    // REQUIREMENTS C-36, D-60, E-20
    assert_eq!(pushed["redirect_uri"], exchanged["redirect_uri"]);
    assert_eq!(pushed["client_id"], exchanged["client_id"]);
    assert_eq!(pushed["login_hint"], "alice.test");
    assert_eq!(pushed["code_challenge_method"], "S256");
    assert_eq!(key, same_key);
    let jwk: Value = serde_json::from_str(&session.dpop_key().jwk().to_json()).unwrap();
    assert_eq!(key, jwk);

    // Another login has another key.
    network.clear_log();
    let other = network.log_in(&network.client(), "alice.test");
    assert_ne!(other.dpop_key().thumbprint(), session.dpop_key().thumbprint());
}

#[test]
fn an_account_is_found_by_did_and_by_server_too() {
    let network = Network::get();
    let client = network.client();
    let did = network.did("alice.test");
    for subject in [did.clone(), network.text("/pds/a/url")] {
        let begun = network.begin(&client, &subject);
        let callback = network.approve(begun.url.as_str(), "alice.test");
        let params = atproto_oauth_core::CallbackParams::parse(&callback).unwrap();
        let session = client.callback(begun.pending, params).unwrap().session;
        assert_eq!(session.did().as_str(), did, "{subject}");
    }
}
