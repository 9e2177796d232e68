//! Situations that the reference server never causes: slow hosts, a late callback, a token that is
//! refused in an unusual way, a handle whose methods disagree.

use std::io::Write;
use std::time::Duration;

use atproto_oauth_core::{CallbackParams, Pending, Session, SessionEffect, xrpc};
use atproto_oauth_sandbox::{Dns, Fault, Habits, HandleAnswers, ServerId};
use serde_json::Value;

use crate::flows::{CALLBACK, Sandboxed, Stage, Streaming};

/// The server of alice, with these habits.
fn server_of_alice<S: Sandboxed>(stage: &S, habits: Habits) -> ServerId {
    let mut sandbox = stage.sandbox();
    let pds = sandbox.names().pds.clone();
    let pds = sandbox.find_server(&pds).unwrap();
    sandbox.set_habits(pds, habits);
    pds
}

/// Subtracts seconds from a time in stored JSON, as if the value had been stored earlier.
fn aged(json: &str, path: &str, seconds: u64) -> String {
    let mut json: Value = serde_json::from_str(json).unwrap();
    let time = json.pointer_mut(path).unwrap();
    *time = (time.as_u64().unwrap() - seconds).into();
    json.to_string()
}

/// Rule E-42: the server takes the code before it looks at the nonce, and no longer knows the nonce
/// that the pending login carries.
pub fn the_nonce_of_an_old_login_is_not_sent<S: Sandboxed>(stage: &S) {
    let server = server_of_alice(stage, Habits::tranquil());
    let as_stage: &dyn Stage = stage;
    let alice = as_stage.account("alice");
    let begun = as_stage.begin(&*as_stage.client(), &alice.handle);
    let back = as_stage.approve(&begun.url, &alice.handle);
    let json = begun.pending.to_json().unwrap();
    let pending = Pending::from_json(&aged(json.expose(), "/nonce/learned_at", 60)).unwrap();
    stage.sandbox().reset_nonces(server);
    // Another process, without a cache, finishes the login.
    let client = as_stage.client();
    let finished = client.callback(pending, CallbackParams::parse(&back).unwrap());
    assert_eq!(finished.unwrap().session.did().as_str(), alice.did);
}

/// Rule P-10: an error that no specification defines is ambiguous once, and needs a new login if it
/// comes again later.
pub fn an_undefined_refusal_does_not_keep_a_session_for_ever<S: Sandboxed>(stage: &S) {
    let as_stage: &dyn Stage = stage;
    for habits in [Habits::cocoon(), Habits::pegasus()] {
        server_of_alice(stage, habits);
        let client = as_stage.run(as_stage.confidential());
        let session = as_stage.log_in(&*client, "alice");
        stage.sandbox().end_sessions(session.did().as_str());
        let first = client.refresh(session).unwrap_err();
        assert_eq!(first.effect, SessionEffect::Ambiguous, "{first:?}");
        assert!(!first.is_retryable());
        let noted = first.session.unwrap();
        // At once, the same refusal may have the same cause.
        let second = client.refresh((*noted).clone()).unwrap_err();
        assert_eq!(second.effect, SessionEffect::Ambiguous, "{second:?}");
        let json = noted.to_json().unwrap();
        let later = Session::from_json(&aged(json.expose(), "/refused/at", 45)).unwrap();
        let third = client.refresh(later).unwrap_err();
        assert_eq!(third.effect, SessionEffect::NeedsReauth, "{third:?}");
    }
}

/// Rules: a login that began with a DID or a server brings the handle of the account.
pub fn a_login_by_did_or_server_brings_the_verified_handle<S: Sandboxed>(stage: &S) {
    let as_stage: &dyn Stage = stage;
    let alice = as_stage.account("alice");
    let log_in = |subject: &str| {
        let client = as_stage.client();
        let begun = as_stage.begin(&*client, subject);
        as_stage.finish(&*client, begun, &alice)
    };
    for subject in [&alice.did, &alice.pds] {
        let session = log_in(subject);
        assert_eq!(session.handle().map(|handle| handle.as_str()), Some(&*alice.handle));
        let verified_at = session.handle_verified_at().unwrap();
        assert!(session.created_at().since(verified_at) < Duration::from_secs(60));
    }
    // A handle that leads to another account is not the account's handle.
    let bob = Dns::did(&as_stage.account("bob").did);
    stage.sandbox().fault(Fault::dns(bob).host(&alice.handle).always());
    assert_eq!(log_in(&alice.did).handle(), None);
}

/// Rule N-04: the host of a handle does not decide who an account is, however fast it answers. The
/// nameserver leaves the first question without an answer.
pub fn a_fast_host_does_not_decide_before_slow_dns<S: Sandboxed>(stage: &S) {
    let as_stage: &dyn Stage = stage;
    let (alice, bob) = (as_stage.account("alice"), as_stage.account("bob"));
    {
        let mut sandbox = stage.sandbox();
        let answers = HandleAnswers { dns: Dns::did(&alice.did), https: Some(bob.did) };
        *sandbox.handle_answers(&alice.handle) = answers;
        sandbox.fault(Fault::dns(Dns::Silent).host(&alice.handle));
    }
    let client = as_stage.client();
    let begun = as_stage.begin(&*client, &alice.handle);
    assert_eq!(begun.pending.expected().unwrap().as_str(), alice.did);
}

/// Rule E-08: the proof of a retry is made when it is sent. The hosts that verify the account take
/// their time, and the server accepts no proof that is older than 12 seconds, 10 of which are the
/// usual age.
pub fn slow_hosts_do_not_age_the_proof_of_a_code<S: Sandboxed>(stage: &S) {
    let mut habits = Habits::reference();
    habits.iat_past = Duration::from_secs(12);
    server_of_alice(stage, habits);
    let as_stage: &dyn Stage = stage;
    let alice = as_stage.account("alice");
    let begun = as_stage.begin(&*as_stage.client(), &alice.did);
    let back = as_stage.approve(&begun.url, &alice.handle);
    {
        let mut sandbox = stage.sandbox();
        let slow = || Fault::delay(Duration::from_millis(1700)).by_client().always();
        sandbox.fault(slow().path("/oauth/token"));
        sandbox.fault(slow().path("/.well-known/oauth-authorization-server"));
        sandbox.fault(slow().path(&format!("/{}", alice.did)));
    }
    // Without a cache and with an old pending login, the first attempt learns the nonce.
    let json = begun.pending.to_json().unwrap();
    let pending = Pending::from_json(&aged(json.expose(), "/nonce/learned_at", 60)).unwrap();
    let client = as_stage.client();
    let finished = client.callback(pending, CallbackParams::parse(&back).unwrap()).unwrap();
    assert_eq!(finished.session.did().as_str(), alice.did);
    assert!(back.starts_with(CALLBACK));
}

/// Rule E-39: a server that refuses the token refuses the small request, too, and the body of the
/// upload is not spent.
pub fn a_refused_upload_keeps_its_body<S: Sandboxed>(stage: &S, client: &dyn Streaming) {
    let as_stage: &dyn Stage = stage;
    let session = as_stage.log_in(&*as_stage.client(), "alice");
    stage.sandbox().end_sessions(session.did().as_str());
    stage.sandbox().clear_log();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[7; 100_000]).unwrap();
    let upload = xrpc::upload("com.atproto.repo.uploadBlob", &[], "video/mp4").unwrap();
    let answer = client.upload(&session, upload, &file, 100_000).unwrap();
    assert_eq!(answer.status(), 401);
    assert!(xrpc::is_token_refused(&answer));
    let sandbox = stage.sandbox();
    let uploads = sandbox.requests().filter(|exchange| exchange.path().ends_with("uploadBlob"));
    assert_eq!(uploads.count(), 0);
}
