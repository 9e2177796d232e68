//! Verbs that look at documents and servers: `resolve`, `check-metadata`, `check-server`, `doctor`.

use atproto_oauth_sandbox::{Dns, Fault, HandleAnswers};
use atproto_oauth_tests::flows::{Sandboxed, Stage};
use http::StatusCode;
use serde_json::json;

use crate::both;
use crate::network::in_network;

#[test]
fn steps_to_a_server() {
    // Rules L-12, L-25, L-26
    in_network("resolve", |snapshot| {
        for subject in ["rita.test", "carol.test", "dave.test"] {
            both(snapshot, &["resolve", subject]);
        }
        let rita = snapshot.network().stage.account("rita");
        both(snapshot, &["resolve", &rita.did]);
        both(snapshot, &["resolve", &rita.pds]);
        let busy = Fault::status(StatusCode::SERVICE_UNAVAILABLE);
        let path = "/.well-known/oauth-protected-resource";
        snapshot.network().fault(busy.path(path).always());
        both(snapshot, &["resolve", "rita.test"]);
    });
}

#[test]
fn checks_of_a_server() {
    // Rules L-23, L-25, L-26
    in_network("check_server", |snapshot| {
        let stage = &snapshot.network().stage;
        let (rita, closed) = (stage.account("rita"), Stage::closed_port(stage).to_string());
        snapshot.mask(closed.trim_end_matches('/').replace("http://", ""), "CLOSED");
        both(snapshot, &["check-server", &rita.pds]);
        // An entryway is no PDS.
        both(snapshot, &["check-server", &rita.issuer]);
        both(snapshot, &["check-server", &closed]);
        let stage = &snapshot.network().stage;
        let issuer = stage.sandbox().find_server(&rita.issuer).unwrap();
        stage.sandbox().set_server_clock_ahead(issuer, std::time::Duration::from_secs(300));
        both(snapshot, &["check-server", &rita.issuer]);
        let no_revocation =
            json!({"revocation_endpoint": null, "response_types_supported": ["code"]});
        let metadata = "/.well-known/oauth-authorization-server";
        let fault = Fault::merge(no_revocation).path(metadata).always();
        snapshot.network().fault(fault);
        let no_nonce = Fault::without_header(http::HeaderName::from_static("dpop-nonce"));
        snapshot.network().fault(no_nonce.path("/oauth/par").always());
        both(snapshot, &["check-server", &rita.pds]);
        let without_par = json!({"pushed_authorization_request_endpoint": null});
        snapshot.network().fault(Fault::merge(without_par).path(metadata).always());
        both(snapshot, &["check-server", &rita.pds]);
    });
}

#[test]
fn diagnoses() {
    // Rules L-24, L-25, L-26
    in_network("doctor", |snapshot| {
        for account in ["rita.test", "alice.test", "dave.test"] {
            both(snapshot, &["doctor", account]);
        }
        snapshot.run(&["sessions", "list"]);
        let pds = snapshot.network().stage.account("alice").pds;
        both(snapshot, &["doctor", &pds]);
        let answers =
            HandleAnswers { dns: Dns::did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"), https: None };
        *snapshot.network().stage.sandbox().handle_answers("alice.test") = answers;
        both(snapshot, &["doctor", "alice.test"]);
    });
}
