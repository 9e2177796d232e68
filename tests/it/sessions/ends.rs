//! Tests: failures of a refresh, their causes, and records that can't be used.

use std::time::Duration;

use atproto_oauth_core::{
    DeletedCause, Error, ErrorKind, InputError, Renew, SessionChange, SessionError,
};
use atproto_oauth_sandbox::{Fault, Process};
use atproto_sansio::{Record, SecretBytes, Version};
use bytes::Bytes;
use http::StatusCode;

use crate::sessions::{ALICE, Managed};

const HOURS: Duration = Duration::from_secs(2 * 60 * 60);

#[test]
fn a_session_that_the_server_ended_is_deleted_with_its_cause() {
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    let session = managed.restore(&key).unwrap();
    let _ = managed.sandbox.run(managed.client.revoke((*session).clone())).unwrap();
    managed.sandbox.advance(HOURS);
    managed.changes();
    let ended = managed.restore(&key).unwrap_err();
    assert_eq!(ended.error, SessionError::Ended(DeletedCause::Revoked).into());
    let changes = managed.changes();
    assert!(matches!(changes[..], [SessionChange::Deleted(DeletedCause::Revoked)]), "{changes:?}");
    assert!(managed.sandbox.records().is_empty());
}

#[test]
fn a_lost_response_ends_the_session_only_when_the_server_says_so() {
    // Rule G-32
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    managed.sandbox.advance(HOURS);
    // The first attempt has no nonce, and spends nothing.
    managed.sandbox.fault(Fault::lose_answer().path("/oauth/token").skip(1));
    let lost = managed.restore(&key).unwrap_err();
    assert!(matches!(lost.error, Error::Unanswered { .. }), "{lost:?}");
    assert_eq!(managed.sandbox.records().len(), 1);
    // Until the lease is over, the token is not tried again.
    let early = managed.restore(&key).unwrap_err();
    assert!(matches!(early.error, Error::Session(SessionError::RetryLater { .. })), "{early:?}");
    assert!(early.error.is_retryable() && early.error.retry_after().is_some());
    managed.sandbox.advance(Duration::from_secs(10 * 60));
    let ended = managed.restore(&key).unwrap_err();
    assert_eq!(ended.error, SessionError::Ended(DeletedCause::RotationResponseLost).into());
}

#[test]
fn a_server_that_is_down_ends_no_session() {
    // Rule G-30
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    managed.sandbox.advance(HOURS);
    managed.sandbox.fault(Fault::status(StatusCode::SERVICE_UNAVAILABLE).times(1000));
    let failed = managed.restore(&key).unwrap_err();
    assert!(failed.error.is_retryable(), "{failed:?}");
    assert_eq!(managed.sandbox.records().len(), 1);
}

#[test]
fn a_backup_that_was_restored_ends_with_its_cause_or_goes_on() {
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    let name = format!("session/{key}");
    let backup = managed.sandbox.records()[&name].clone();
    let renewed = managed.sessions.restore(&key).renew(Renew::Always);
    let _ = managed.sandbox.run(renewed).unwrap();
    managed.sandbox.put_record(&name, Some(backup));
    assert_eq!(managed.sandbox.run(managed.sessions.mark_restored()).unwrap(), 1);
    managed.sandbox.advance(HOURS);
    let ended = managed.restore(&key).unwrap_err();
    assert_eq!(ended.error, SessionError::Ended(DeletedCause::RestoredFromBackup).into());

    let other = managed.log_in(ALICE);
    assert_eq!(managed.sandbox.run(managed.sessions.mark_restored()).unwrap(), 1);
    managed.sandbox.advance(HOURS);
    assert!(managed.restore(&other).is_ok());
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_and_stays() {
    // Rule K-09
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    let name = format!("session/{key}");
    let good = managed.sandbox.records()[&name].clone();
    let text = String::from_utf8(good.value.0.to_vec()).unwrap();
    let with = |value: Bytes| Record { value: SecretBytes(value), ..good.clone() };
    for (value, expected) in [
        (Bytes::from_static(b"\xff\x00"), "it is no text"),
        (Bytes::from_static(b"{}"), "it is malformed"),
        (Bytes::from(text.replacen("\"version\":1", "\"version\":9", 1)), "version 9"),
    ] {
        managed.sandbox.put_record(&name, Some(with(value.clone())));
        let unreadable = managed.restore(&key).unwrap_err();
        assert_eq!(unreadable.error.kind(), ErrorKind::Input, "{unreadable}");
        assert!(unreadable.to_string().contains(expected), "{unreadable}");
        let out = managed.sandbox.run(managed.sessions.revoke(&key)).unwrap_err();
        assert!(matches!(
            out.error,
            Error::Input(InputError::Stored { .. } | InputError::UnsupportedVersion { .. })
        ));
        assert_eq!(managed.sandbox.records()[&name].value.0, value);
    }
    managed.sandbox.put_record(&name, Some(good));
    assert!(managed.restore(&key).is_ok());
}

#[test]
fn a_record_under_the_key_of_another_session_is_refused() {
    // Rule K-12
    let mut managed = Managed::new();
    let (alice, carol) = (managed.log_in(ALICE), managed.log_in("carol.example.com"));
    let of_carol = managed.sandbox.records()[&format!("session/{carol}")].clone();
    managed.sandbox.put_record(&format!("session/{alice}"), Some(of_carol));
    let refused = managed.restore(&alice).unwrap_err();
    assert_eq!(refused.error, SessionError::OtherSession.into());
}

#[test]
fn a_lease_of_another_process_is_waited_for_and_a_dead_one_taken_over() {
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    managed.sandbox.advance(HOURS);
    let name = format!("session/{key}");
    let record = managed.sandbox.records()[&name].clone();
    let mut json: serde_json::Value = serde_json::from_slice(&record.value.0).unwrap();
    let until = managed.sandbox.now().as_secs() + 45;
    json["lease"] = serde_json::json!({"id": "another process", "until": until});
    let value = SecretBytes(Bytes::from(json.to_string()));
    let leased = Record { value, version: Version(7), ..record };
    managed.sandbox.put_record(&name, Some(leased));
    let begun = managed.sandbox.now();
    let _ = managed.sandbox.run_in(&mut Process::new(2), managed.sessions.restore(&key)).unwrap();
    // The process watched the record for a whole lease on its own clock.
    let waited = managed.sandbox.now().since(begun);
    assert!(waited > Duration::from_secs(45) && waited < Duration::from_secs(50), "{waited:?}");
}
