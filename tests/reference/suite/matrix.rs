//! Every kind of account with every kind of client: an account whose server is its own issuer, one
//! behind an entryway, one at an https issuer with a certificate of its own.

use atproto_oauth_core::{CallbackParams, Revocation, xrpc};
use atproto_oauth_ureq::OAuthClient;
use serde_json::{Value, json};

use crate::adapters::Adapter;
use crate::network::Network;

const ACCOUNTS: [(&str, &str, &str); 3] =
    [("alice.test", "a", "a"), ("rita.test", "r", "a"), ("sam.test", "s", "s")];

#[test]
fn every_account_logs_in_with_every_client() {
    let network = Network::get();
    for (handle, pds, issuer) in ACCOUNTS {
        for client in network.clients() {
            let about = format!("{handle}, {}, {}", client.name(), client.client().client_id());
            let session = network.log_in(&*client, handle);
            assert_eq!(session.did().as_str(), network.did(handle), "{about}");
            assert_eq!(session.pds().as_str(), network.text(&format!("/pds/{pds}/url")), "{about}");
            let issuer = network.text(&format!("/pds/{issuer}/issuer"));
            assert_eq!(session.issuer().as_str(), issuer, "{about}");

            let record = json!({
                "repo": session.did(),
                "collection": "com.example.note",
                "record": {"$type": "com.example.note", "text": about},
            });
            let create = || xrpc::procedure("com.atproto.repo.createRecord", &record).unwrap();
            let answer = client.request(&session, create()).unwrap();
            assert!(answer.status().is_success(), "{about}: {answer:?}");
            let refreshed = client.refresh(session).unwrap();
            assert_eq!(refreshed.violation, None, "{about}");
            let answer = client.request(&refreshed.session, create()).unwrap();
            assert!(answer.status().is_success(), "{about}: {answer:?}");
            assert_eq!(client.revoke(refreshed.session.clone()).unwrap(), Revocation::Revoked);
            let refused = client.request(&refreshed.session, create()).unwrap();
            assert!(xrpc::is_token_refused(&refused), "{about}: {refused:?}");
        }
    }
}

#[test]
fn a_login_may_begin_at_every_server() {
    let network = Network::get();
    for (handle, pds, _) in ACCOUNTS {
        for client in network.clients() {
            let begun = network.begin(&*client, &network.text(&format!("/pds/{pds}/url")));
            let callback = network.approve(begun.url.as_str(), handle);
            let params = CallbackParams::parse(&callback).unwrap();
            let session = client.callback(begun.pending, params).unwrap().session;
            assert_eq!(session.did().as_str(), network.did(handle), "{handle}");
        }
    }
}

#[test]
fn each_attempt_carries_an_assertion_of_its_own() {
    let network = Network::get();
    let client = OAuthClient::new(network.confidential(), network.client().driver().clone());
    let session = network.log_in(&client, "alice.test");
    let refreshed = client.refresh(session).unwrap();
    client.revoke(refreshed.session).unwrap();
    // REQUIREMENTS F-01 to F-04: pushed twice, exchanged, refreshed, two tokens revoked.
    let log = network.log();
    let assertions: Vec<&Value> =
        log.iter().map(|entry| &entry["client_assertion"]).filter(|a| a.is_object()).collect();
    assert_eq!(assertions.len(), 6);
    let mut names: Vec<_> = assertions.iter().map(|a| a["claims"]["jti"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 6, "an assertion was used again");
    for assertion in assertions {
        assert_eq!(assertion["claims"]["aud"], network.text("/pds/a/issuer"));
        assert_eq!(assertion["signature_bytes"], 64);
    }
}

#[test]
fn the_transport_of_the_readme_logs_in() {
    let network = Network::get();
    let client = network.plain_client();
    // It has no DNS of its own for the handles of this network.
    let begun = network.begin(&client, &network.did("alice.test"));
    let callback = network.approve(begun.url.as_str(), "alice.test");
    let session =
        client.callback(begun.pending, CallbackParams::parse(&callback).unwrap()).unwrap().session;
    let read = xrpc::query("com.atproto.server.getSession", [("", ""); 0]).unwrap();
    assert!(client.request(&session, read).unwrap().status().is_success());
    let refreshed = client.refresh(session).unwrap();
    assert_eq!(client.revoke(refreshed.session).unwrap(), Revocation::Revoked);
}
