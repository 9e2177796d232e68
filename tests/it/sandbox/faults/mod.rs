//! Each kind of fault at each request of each procedure. No fault causes a panic. After a failure,
//! the server has no session that the client does not know, unless the error says that the outcome
//! is unknown.

mod trial;

use std::collections::BTreeSet;
use std::time::Duration;

use atproto_oauth_core::{
    AuthorityError, EndpointName, Error, Revocation, Session, SessionEffect, Subject,
};
use atproto_oauth_sandbox::{Fault, Sandbox};

use crate::sandbox::faults::trial::{FAULTS, Trial, in_memory, on_sockets};
use crate::sandbox::{ALICE, CAROL, begin, finish, loopback, server};

/// Paths and faults, as [`Trial::encounter`] returns them.
type Encounters = BTreeSet<String>;

/// Whether it is unknown, after this error of a callback, if the server issued tokens for the code.
fn is_ambiguous(error: &Error) -> bool {
    match error {
        Error::Unanswered { .. } => true,
        Error::Malformed { endpoint: EndpointName::Token, .. } => true,
        // A status without an error code may come from a gateway.
        Error::Refused(refusal) => {
            refusal.endpoint == EndpointName::Token && refusal.error.is_none()
        }
        _ => false,
    }
}

fn login(trial: &Trial<'_>, left_behind: &mut Encounters) {
    let about = &trial.about;
    match trial.log_in() {
        Ok(session) => {
            assert_eq!(trial.sessions(), 1, "{about}");
            trial.stage.clear_faults();
            assert_eq!(trial.call(&session), Ok(200), "{about}");
        }
        Err(error) if trial.sessions() == 0 => {
            let _ = (error.kind(), error.is_retryable(), error.to_string());
        }
        Err(error) => {
            // The client never received the tokens, so it cannot revoke them.
            assert!(is_ambiguous(&error), "{about}: {error:?}");
            left_behind.insert(trial.encounter());
        }
    }
}

fn refresh(trial: &Trial<'_>, session: Session, ambiguous: &mut Encounters) {
    let about = &trial.about;
    let failed = match trial.client.refresh(session.clone()) {
        Ok(refreshed) => {
            trial.stage.clear_faults();
            return assert_eq!(trial.call(&refreshed.session), Ok(200), "{about}");
        }
        Err(failed) => failed,
    };
    let sessions = trial.sessions();
    trial.stage.clear_faults();
    match failed.effect {
        // The refresh token is unspent, so the session still works.
        SessionEffect::Keep => {
            assert_eq!(trial.call(&session), Ok(200), "{about}");
            assert!(trial.client.refresh(session).is_ok(), "{about}");
        }
        // A second refresh succeeds, or the server ends the session.
        SessionEffect::Ambiguous => {
            ambiguous.insert(trial.encounter());
            match trial.client.refresh(session) {
                Ok(refreshed) => assert_eq!(trial.call(&refreshed.session), Ok(200), "{about}"),
                Err(again) => {
                    assert_eq!(again.effect, SessionEffect::Dead, "{about}");
                    assert_eq!(trial.sessions(), 0, "{about}");
                }
            }
        }
        SessionEffect::NeedsReauth => panic!("{about}: the account has not moved"),
        SessionEffect::Dead => assert_eq!(sessions, 0, "{about}"),
    }
}

fn log_out(trial: &Trial<'_>, session: Session) {
    match trial.client.revoke(session) {
        Ok(revocation) => {
            assert_eq!(revocation, Revocation::Revoked, "{}", trial.about);
            assert_eq!(trial.sessions(), 0, "{}", trial.about);
        }
        Err(error) => drop((error.kind(), error.to_string())),
    }
}

fn call(trial: &Trial<'_>, session: &Session) {
    match trial.call(session) {
        Ok(status) => assert!([200, 302, 502].contains(&status), "{}", trial.about),
        Err(Error::Transport(_)) => {}
        Err(other) => panic!("{}: {other:?}", trial.about),
    }
    trial.stage.clear_faults();
    assert_eq!(trial.call(session), Ok(200), "{}", trial.about);
}

fn nothing(_: &Trial<'_>) {}

fn logged_in(trial: &Trial<'_>) -> Session {
    trial.log_in().unwrap()
}

#[test]
fn a_failed_login_leaves_no_session_unless_the_tokens_were_lost() {
    let (mut left_behind, mut on_a_socket) = (Encounters::new(), Encounters::new());
    in_memory(nothing, |trial, ()| login(trial, &mut left_behind));
    on_sockets(nothing, |trial, ()| login(trial, &mut on_a_socket));
    // Only a lost or unreadable token response leaves a session behind.
    let expected = [
        "/oauth/token: another body",
        "/oauth/token: answer lost",
        "/oauth/token: cut",
        "/oauth/token: cut at once",
        "/oauth/token: padded",
        "/oauth/token: silence",
        "/oauth/token: the server's own 502",
        "/oauth/token: too late",
    ];
    assert_eq!(left_behind, expected.map(str::to_owned).into());
    assert!(on_a_socket.is_subset(&left_behind), "{on_a_socket:?}");
}

#[test]
fn a_failed_refresh_reports_its_effect_on_the_session() {
    let (mut ambiguous, mut on_a_socket) = (Encounters::new(), Encounters::new());
    in_memory(logged_in, |trial, session| refresh(trial, session, &mut ambiguous));
    on_sockets(logged_in, |trial, session| refresh(trial, session, &mut on_a_socket));
    let expected = [
        "/oauth/token: 502",
        "/oauth/token: another body",
        "/oauth/token: answer lost",
        "/oauth/token: cut",
        "/oauth/token: cut at once",
        "/oauth/token: padded",
        "/oauth/token: redirect",
        "/oauth/token: request lost",
        "/oauth/token: silence",
        "/oauth/token: the server's own 502",
        "/oauth/token: too late",
    ];
    assert_eq!(ambiguous, expected.map(str::to_owned).into());
    // On a socket, a fault cannot refuse a connection that was accepted; the request may be lost.
    ambiguous.insert("/oauth/token: refused".to_owned());
    assert!(on_a_socket.is_subset(&ambiguous), "{on_a_socket:?}");
}

#[test]
fn a_successful_logout_leaves_no_session_on_the_server() {
    in_memory(logged_in, log_out);
    on_sockets(logged_in, log_out);
}

#[test]
fn a_failed_resource_request_does_not_end_the_session() {
    in_memory(logged_in, |trial, session| call(trial, &session));
    on_sockets(logged_in, |trial, session| call(trial, &session));
}

#[test]
fn a_fault_of_every_request_makes_the_login_fail_within_a_minute() {
    for (name, fault) in FAULTS {
        let (mut sandbox, client) = (Sandbox::new(1), loopback());
        sandbox.fault(fault().always());
        let began = sandbox.now();
        let refused = sandbox.run(client.authorize(Subject::parse(ALICE).unwrap()));
        let took = sandbox.now().since(began);
        assert!(took < Duration::from_secs(60), "{name}: {took:?}");
        assert!(refused.is_err(), "{name}: {refused:?}");
    }
}

/// The error of a failed procedure is the reason of the failure, even if the revocation fails, too.
#[test]
fn a_failed_revocation_is_reported_beside_the_reason() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let pds = server(&sandbox, &sandbox.names().pds);
    let begun = begin(&mut sandbox, &client, ALICE);
    sandbox.fault(Fault::lose_request().path("/oauth/revoke").times(2));
    let failed = finish(&mut sandbox, &client, begun, CAROL).unwrap_err();
    let is_reported =
        matches!(failed.error, Error::Authority(AuthorityError::SubjectMismatch { .. }));
    assert!(is_reported && matches!(failed.revocation, Some(Err(_))), "{failed:?}");
    assert!(failed.to_string().contains("revoking them failed"), "{failed}");
    assert_eq!(sandbox.sessions(pds), 1);
}
