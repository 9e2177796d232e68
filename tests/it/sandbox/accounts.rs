//! Accounts with a `did:web`, accounts that move to another server, and accounts that change their
//! handle.

use std::panic::{AssertUnwindSafe, catch_unwind};

use atproto_oauth_core::{AuthorityError, Error, Session, SessionEffect};
use atproto_oauth_sandbox::{Dns, Exchange, NoRedirect, Sandbox};
use serde_json::{Value, json};

use crate::sandbox::{ALICE, RITA, begin, finish, log_in, loopback, server, status};

/// Returns the number of requests to `origin` with this path.
fn asked(sandbox: &Sandbox, origin: &str, path: &str) -> usize {
    let is_it = |exchange: &&Exchange| {
        exchange.url.origin().ascii_serialization() == origin && exchange.path() == path
    };
    sandbox.requests().filter(is_it).count()
}

/// Returns the session with another PDS.
fn at(session: &Session, pds: &str) -> Session {
    let mut json: Value = serde_json::from_str(session.to_json().unwrap().expose()).unwrap();
    json["pds"] = json!(pds);
    Session::from_json(&json.to_string()).unwrap()
}

#[test]
fn the_document_of_a_did_web_is_fetched_from_its_host() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let session = log_in(&mut sandbox, &client, "wendy.example.com");
    assert_eq!(session.did().as_str(), "did:web:wendy.example.com");
    assert_eq!(status(&mut sandbox, &client, &session), 200);
    sandbox.clear_log();
    let session = sandbox.run(client.refresh(session)).unwrap().session;
    assert_eq!(asked(&sandbox, "https://wendy.example.com", "/.well-known/did.json"), 1);
    assert_eq!(status(&mut sandbox, &client, &session), 200);
}

#[test]
fn an_account_that_moves_within_an_entryway_keeps_its_session() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let names = sandbox.names().clone();
    let session = log_in(&mut sandbox, &client, RITA);
    assert_eq!(session.pds().as_str(), names.entryway_pds);
    let other = server(&sandbox, &names.other_entryway_pds);
    sandbox.migrate(RITA, other);

    // The access token of the session is valid at the old PDS only.
    let moved = at(&session, &names.other_entryway_pds);
    assert_eq!(status(&mut sandbox, &client, &moved), 401);
    let refreshed = sandbox.run(client.refresh(session.clone())).unwrap().session;
    assert_eq!(refreshed.pds().as_str(), names.other_entryway_pds);
    assert_eq!(refreshed.session_id(), session.session_id());
    assert_eq!(status(&mut sandbox, &client, &refreshed), 200);
    // The access token of the refreshed session is valid at the new PDS only.
    let back = at(&refreshed, &names.entryway_pds);
    assert_eq!(status(&mut sandbox, &client, &back), 401);
    assert_eq!(status(&mut sandbox, &client, &session), 401);
}

#[test]
fn an_account_that_moves_to_another_issuer_must_log_in_there() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let names = sandbox.names().clone();
    let (old, new) = (server(&sandbox, &names.pds), server(&sandbox, &names.other_pds));
    let session = log_in(&mut sandbox, &client, ALICE);
    sandbox.migrate(ALICE, new);
    sandbox.clear_log();
    let failed = sandbox.run(client.refresh(session.clone())).unwrap_err();
    assert_eq!(failed.effect, SessionEffect::NeedsReauth);
    let Error::Authority(AuthorityError::IssuerOfAccount { did, expected, found }) = failed.error
    else {
        panic!("{:?}", failed.error)
    };
    assert_eq!(did, *session.did());
    assert_eq!((expected.as_str(), found.as_str()), (&*names.pds, &*names.other_pds));
    // No token request was sent, so the refresh token is unspent.
    assert_eq!(asked(&sandbox, &names.pds, "/oauth/token"), 0);
    assert_eq!(sandbox.sessions(old), 1);

    let again = log_in(&mut sandbox, &client, ALICE);
    assert_eq!(again.issuer().as_str(), names.other_pds);
    assert_eq!(status(&mut sandbox, &client, &again), 200);
    // After the account has moved back, the first session can be refreshed.
    sandbox.migrate(ALICE, old);
    assert!(sandbox.run(client.refresh(session)).is_ok());
    let failed = sandbox.run(client.refresh(again)).unwrap_err();
    assert_eq!(failed.effect, SessionEffect::NeedsReauth);
}

#[test]
fn an_account_that_moves_during_its_login_gets_no_session_of_the_old_server() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let names = sandbox.names().clone();
    let (old, new) = (server(&sandbox, &names.pds), server(&sandbox, &names.other_pds));
    let begun = begin(&mut sandbox, &client, ALICE);
    let back = sandbox.approve(&begun.url, ALICE).unwrap();
    sandbox.migrate(ALICE, new);
    let params = atproto_oauth_core::CallbackParams::parse(&back).unwrap();
    let failed = sandbox.run(client.callback(begun.pending, params)).unwrap_err();
    let moved = matches!(failed.error, Error::Authority(AuthorityError::IssuerOfAccount { .. }));
    assert!(moved, "{failed:?}");
    assert_eq!(sandbox.sessions(old), 0, "the tokens of the old server were revoked");
}

#[test]
fn an_account_that_has_moved_is_denied_at_its_old_server() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let names = sandbox.names().clone();
    let new = server(&sandbox, &names.other_pds);
    for who in [ALICE, RITA] {
        let (begun, another) =
            (begin(&mut sandbox, &client, who), begin(&mut sandbox, &client, who));
        sandbox.migrate(who, new);
        // An account that this server never had cannot sign in.
        let stuck = sandbox.approve(&another.url, "bob.example.com").unwrap_err();
        assert!(matches!(stuck, NoRedirect::NotSignedIn(_)), "{stuck:?}");
        let denied = finish(&mut sandbox, &client, begun, who).unwrap_err();
        let Error::Denied(denied) = denied.error else { panic!("{denied:?}") };
        assert_eq!(denied.error, "access_denied");
        assert_eq!(denied.description.as_deref(), Some("This account is deactivated here"));
        sandbox.process().forget(); // the cached PDS of the account
        log_in(&mut sandbox, &client, who);
    }
    // After the account has moved back, the login succeeds at the old server.
    let old = server(&sandbox, &names.pds);
    sandbox.migrate(ALICE, old);
    sandbox.process().forget();
    let session = log_in(&mut sandbox, &client, ALICE);
    assert_eq!(status(&mut sandbox, &client, &session), 200);
}

#[test]
fn a_session_survives_a_change_of_its_handle() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let session = log_in(&mut sandbox, &client, ALICE);
    sandbox.rename(ALICE, "alicia.example.com");
    let session = sandbox.run(client.refresh(session)).unwrap().session;
    assert_eq!(status(&mut sandbox, &client, &session), 200);
    // The old handle does not resolve any more; the new one does.
    sandbox.process().forget();
    let old = client.authorize(ALICE.parse().unwrap());
    assert!(matches!(sandbox.run(old).unwrap_err(), Error::Identity(_)));
    let again = log_in(&mut sandbox, &client, "alicia.example.com");
    assert_eq!(again.did(), session.did());
    assert_eq!(again.handle().unwrap().as_str(), "alicia.example.com");
}

#[test]
fn an_unresolvable_handle_is_an_identity_error() {
    let other = "did:plc:z72i7hdynmk6r22z27h6tvur";
    let records =
        |texts: &[&str]| Dns::Records(texts.iter().map(|&text| text.to_owned()).collect());
    let alice = Sandbox::new(1).did(ALICE).unwrap().to_owned();
    for (dns, https, is_found) in [
        (Dns::NoSuchName, None, false),
        (Dns::Fails, None, false),
        (Dns::Silent, None, false),
        (records(&["v=spf1", "did=", "did=nonsense"]), None, false),
        (records(&[&format!("did={alice}"), &format!("did={other}")]), None, false),
        (Dns::did(other), None, false),
        (Dns::NoSuchName, Some("<html>"), false),
        (Dns::NoSuchName, Some(&*alice), true),
        (Dns::Fails, Some(&*alice), true),
        (Dns::Silent, Some(&*alice), true),
        (Dns::did(&alice), Some("<html>"), true),
    ] {
        let (mut sandbox, client) = (Sandbox::new(1), loopback());
        let answers = sandbox.handle_answers(ALICE);
        answers.dns = dns.clone();
        answers.https = https.map(str::to_owned);
        let begun = sandbox.run(client.authorize(ALICE.parse().unwrap()));
        assert_eq!(begun.is_ok(), is_found, "{dns:?}, {https:?}: {begun:?}");
        if let Err(error) = begun {
            assert!(matches!(error, Error::Identity(_)), "{dns:?}, {https:?}: {error:?}");
        }
    }
}

#[test]
fn a_change_that_cannot_be_made_is_named() {
    let refused = |change: fn(&mut Sandbox)| {
        let mut sandbox = Sandbox::new(1);
        let panic = catch_unwind(AssertUnwindSafe(|| change(&mut sandbox))).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap().clone();
        assert_eq!(sandbox.server_of(ALICE), sandbox.find_server(&sandbox.names().pds));
        text
    };
    let text = refused(|sandbox| sandbox.rename(ALICE, "no handle"));
    assert!(text.contains("\"no handle\" is not a valid handle"), "{text}");
    let text = refused(|sandbox| sandbox.rename(ALICE, "Bob.example.com"));
    assert!(text.contains("another account has the handle bob.example.com"), "{text}");
    let text = refused(|sandbox| sandbox.rename("zoe.example.com", "zoe.example.org"));
    assert!(text.contains("no account has the handle or DID \"zoe.example.com\""), "{text}");
    let text = refused(|sandbox| {
        let entryway = sandbox.find_server(&sandbox.names().entryway.clone()).unwrap();
        sandbox.migrate(ALICE, entryway);
    });
    assert!(text.contains("https://entryway.example.org hosts no accounts"), "{text}");
    let text = refused(|sandbox| {
        let pds = sandbox.server_of(ALICE).unwrap();
        sandbox.migrate(ALICE, pds);
    });
    assert!(text.contains("alice.example.com is on the server"), "{text}");

    // An account keeps its handle if it is renamed to it.
    let mut sandbox = Sandbox::new(1);
    sandbox.rename(ALICE, "ALICE.example.com");
    assert!(sandbox.did(ALICE).is_some());
}
