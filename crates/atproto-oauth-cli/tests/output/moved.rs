//! `sessions export` and `sessions import`, in the form of this project and in those of other libraries.

use atproto_dpop::P256Keys;
use atproto_oauth_core::{Client, ClientKey, Scopes};
use atproto_oauth_tests::flows::Stage;
use serde_json::{Value, json};

use crate::network::{approve, in_network};
use crate::snapshot::Snapshot;

fn log_in(snapshot: &mut Snapshot) {
    snapshot.log_in(&["login", "--no-browser", "alice.test"], approve("alice.test"));
}

/// The session that is exported last, as the clients of Bluesky for Node keep it.
fn foreign(own: &Value) -> Value {
    let tokens = json!({
        "iss": own["issuer"], "sub": own["did"], "aud": own["pds"], "scope": own["scopes"],
        "access_token": own["access_token"], "refresh_token": own["refresh_token"],
        "token_type": "DPoP",
    });
    json!({ own["did"].as_str().unwrap(): {"dpopJwk": own["dpop_key"], "tokenSet": tokens} })
}

#[test]
fn sessions_that_move() {
    // Rules L-21, L-25, L-26
    in_network("sessions_moved", |snapshot| {
        for json in [&[][..], &["--json"]] {
            log_in(snapshot);
            let export = ["sessions", "export", "--output", "alice.json"];
            snapshot.run(&[&export[..], &["--keep"], json].concat());
            snapshot.run(&[&export[..], json].concat());
            std::fs::remove_file(snapshot.folder().join("alice.json")).unwrap();
            snapshot.run(&[&export[..], json].concat());
            snapshot.run(&[&export[..], json].concat());
            snapshot.run(&[&["sessions", "import", "alice.json"], json].concat());
            std::fs::remove_file(snapshot.folder().join("alice.json")).unwrap();
            snapshot.run(&[&["logout"], json].concat());
        }
        let secret = "a-refresh-token-that-nobody-may-see";
        snapshot.write("broken.json", &json!({ "refresh_token": secret }).to_string());
        snapshot.run(&["sessions", "import", "broken.json"]);
        snapshot.run(&["sessions", "import", "broken.json", "--json"]);
    });
}

#[test]
fn sessions_of_other_libraries() {
    // Rules L-21, L-25, L-26
    in_network("sessions_foreign", |snapshot| {
        log_in(snapshot);
        for json in [&[][..], &["--json"]] {
            let exported = snapshot.run(&["sessions", "export", "--output", "-"]);
            let own: Value = serde_json::from_str(&exported).unwrap();
            let mut foreign = foreign(&own);
            let mut other_curve = foreign[own["did"].as_str().unwrap()].clone();
            other_curve["dpopJwk"]["crv"] = "secp256k1".into();
            foreign["another"] = other_curve;
            snapshot.write("foreign.json", &foreign.to_string());
            let import = ["sessions", "import", "foreign.json"];
            snapshot.run(&[&import[..], json].concat());
            let client = ["--client-id", own["client_id"].as_str().unwrap()];
            snapshot.run(&[&import[..], &client, json].concat());
            snapshot.note_sessions();
            // The refresh token is spent.
            snapshot.run(&[&import[..], &client, json].concat());
            snapshot.run(&["logout"]);
            log_in(snapshot);
        }
        let did = snapshot.network().stage.account("alice").did;
        snapshot.run(&["sessions", "export", &did, "--output", "-", "--keep"]);
        snapshot.run(&["sessions", "export", "--output", "-", "--json"]);
    });
}

/// The session of a client that authenticates with a key of its own.
#[test]
fn sessions_of_a_confidential_client() {
    // Rules F-14, L-21, L-25, L-26
    in_network("sessions_confidential", |snapshot| {
        snapshot.run(&["keygen", "--output", "key.pem"]);
        let pem = std::fs::read_to_string(snapshot.folder().join("key.pem")).unwrap();
        let key = ClientKey::parse(&pem, &P256Keys).unwrap();
        snapshot.mask(key.kid(), "KID");
        let scopes = Scopes::parse("atproto transition:generic").unwrap();
        let client = Client::web("https://app.client.dev/client.json", scopes);
        let client = client.redirect_uri("https://app.client.dev/callback").key(key);
        let stage: &dyn Stage = &snapshot.network().stage;
        let client = stage.configure(client).build().unwrap();
        stage.publish(&client);
        let session = stage.log_in(&*stage.run(client), "alice").to_json().unwrap();
        snapshot.write("alice.json", session.expose());
        let key = ["--client-key", "key.pem"];
        for json in [&[][..], &["--json"]] {
            snapshot.run(&[&["sessions", "import", "alice.json"], &key[..], json].concat());
            snapshot.note_sessions();
            snapshot.run(&[&["sessions", "refresh"], json].concat());
            snapshot.run(&[&["sessions", "refresh"], &key[..], json].concat());
            let export = ["sessions", "export", "--output", "next.json"];
            snapshot.run(&[&export[..], json].concat());
            std::fs::rename(
                snapshot.folder().join("next.json"),
                snapshot.folder().join("alice.json"),
            )
            .unwrap();
        }
        snapshot.run(&[&["sessions", "import", "alice.json"], &key[..]].concat());
        snapshot.run(&[&["logout"], &key[..]].concat());
        // The search knows a secret of each kind.
        snapshot.search_all();
        let expected = [
            "access_token",
            "client_assertion",
            "code",
            "code_verifier",
            "d",
            "pem",
            "proof",
            "refresh_token",
            "state",
            "the key of the sessions",
        ];
        assert_eq!(snapshot.secrets.names().into_iter().collect::<Vec<_>>(), expected);
    });
}
