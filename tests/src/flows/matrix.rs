//! Every kind of account with every kind of client. Kinds of accounts are, for example, one whose
//! PDS is its own issuer, and one behind an entryway.

use atproto_oauth_core::{Revocation, xrpc};
use serde_json::json;

use crate::flows::{Jws, Stage, who_am_i};

pub fn every_account_logs_in_with_every_client(stage: &dyn Stage) {
    for name in stage.kinds() {
        let account = stage.account(name);
        for client in stage.clients() {
            let about = format!("{name}, {}, {}", client.name(), client.client().client_id());
            let session = stage.log_in(&*client, name);
            assert_eq!(session.did().as_str(), account.did, "{about}");
            assert_eq!(session.pds().as_str(), account.pds, "{about}");
            assert_eq!(session.issuer().as_str(), account.issuer, "{about}");

            let record = json!({
                "repo": session.did(),
                "collection": "com.example.note",
                "record": {"$type": "com.example.note", "text": about},
            });
            let create = || xrpc::procedure("com.atproto.repo.createRecord", &[], &record).unwrap();
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

pub fn a_login_may_begin_with_each_server(stage: &dyn Stage) {
    for name in stage.kinds() {
        let account = stage.account(name);
        for client in stage.clients() {
            let begun = stage.begin(&*client, &account.pds);
            let session = stage.finish(&*client, begun, &account);
            assert_eq!(session.did().as_str(), account.did, "{name}");
        }
    }
}

pub fn each_attempt_carries_an_assertion_of_its_own(stage: &dyn Stage) {
    let client = stage.run(stage.confidential());
    let issuer = stage.account("alice").issuer;
    stage.clear_log();
    let session = stage.log_in(&*client, "alice");
    let refreshed = client.refresh(session).unwrap();
    client.revoke(refreshed.session).unwrap();
    // Rules F-01 to F-04: pushed twice, exchanged, refreshed, two tokens revoked.
    let log = stage.log(&issuer);
    let assertions: Vec<&Jws> = log.iter().filter_map(|seen| seen.assertion.as_ref()).collect();
    assert_eq!(assertions.len(), 6);
    let mut names: Vec<_> = assertions.iter().map(|assertion| assertion.claim("jti")).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 6, "an assertion was used again");
    for assertion in assertions {
        assert_eq!(assertion.claim("aud"), Some(&*issuer));
        assert_eq!(assertion.signature_bytes, 64);
    }
}

/// Runs a login by DID, a request, a refresh and a logout, for a client that cannot look up the
/// handles of the network in DNS.
pub fn a_session_without_dns(stage: &dyn Stage, client: &dyn crate::flows::Adapter) {
    let alice = stage.account("alice");
    let begun = stage.begin(client, &alice.did);
    let session = stage.finish(client, begun, &alice);
    assert!(client.request(&session, who_am_i()).unwrap().status().is_success());
    let refreshed = client.refresh(session).unwrap();
    assert_eq!(client.revoke(refreshed.session).unwrap(), Revocation::Revoked);
}
