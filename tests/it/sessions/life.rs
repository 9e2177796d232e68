//! Tests: the life of a stored session, from its login to its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_dpop::{Retry, RetryReason};
use atproto_identity::Did;
use atproto_oauth_core::{
    Renew, Revocation, Session, SessionChange, SessionError, SessionEvent, SessionKey,
    SessionsError,
};
use atproto_oauth_sandbox::{Fault, Seen};
use atproto_sansio::{Body, Budget, Cx, Machine, Record, SecretBytes};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::sessions::{ALICE, Managed};

#[test]
fn a_session_lives_in_the_store_from_login_to_logout() {
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    assert!(matches!(managed.changes()[..], [SessionChange::Created]));
    let keys: Vec<_> = managed.sandbox.records().keys().cloned().collect();
    assert_eq!(keys, [format!("session/{key}")]);

    let session = managed.restore(&key).unwrap();
    assert_eq!(managed.who_am_i(&session).unwrap().reply.response.status(), 200);

    let out = managed.sandbox.run_in(&mut managed.process, managed.sessions.revoke(&key)).unwrap();
    assert!(matches!(out.revocation, Some(Ok(Revocation::Revoked))));
    assert!(managed.sandbox.records().is_empty());
    assert!(matches!(managed.changes()[..], [SessionChange::LoggedOut(Ok(_))]));
    assert_eq!(managed.restore(&key).unwrap_err().error, SessionError::NotFound.into());
    // Rule G-46
    let again =
        managed.sandbox.run_in(&mut managed.process, managed.sessions.revoke(&key)).unwrap();
    assert!(again.revocation.is_none());
}

#[test]
fn a_session_that_was_made_elsewhere_is_stored_and_goes_on() {
    // A session of the same client, kept by another program as JSON.
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    let json = managed.restore(&key).unwrap().to_json().unwrap();
    let elsewhere = || Session::from_json(json.expose()).unwrap();
    managed.sandbox.put_record(&format!("session/{key}"), None);
    managed.changes();

    let add = managed.sessions.add(elsewhere());
    let added = managed.sandbox.run_in(&mut managed.process, add).unwrap();
    assert_eq!(SessionKey::of(&added), key);
    assert!(matches!(managed.changes()[..], [SessionChange::Created]));
    // The same session again changes nothing.
    let add = managed.sessions.add(elsewhere());
    assert!(managed.sandbox.run_in(&mut managed.process, add).is_ok());

    // Once its tokens are renewed, the old ones must not take their place.
    managed.sandbox.advance(Duration::from_secs(2 * 60 * 60));
    let renewed = managed.restore(&key).unwrap();
    let add = managed.sessions.add(elsewhere());
    let refused = managed.sandbox.run_in(&mut managed.process, add).unwrap_err();
    assert_eq!(refused.error, SessionError::AlreadyStored.into());
    let stored = managed.restore(&key).unwrap();
    assert_eq!(stored.access_token().expose(), renewed.access_token().expose());

    // A session of another client is refused.
    let other = json.expose().replace("http://localhost?", "http://localhost/?");
    let add = managed.sessions.add(Session::from_json(&other).unwrap());
    let refused = managed.sandbox.run_in(&mut managed.process, add).unwrap_err();
    assert_eq!(refused.error, SessionError::OtherClient.into());
}

#[test]
fn a_session_is_handed_over_only_with_the_tokens_in_the_store() {
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    let old = Session::clone(&managed.restore(&key).unwrap());
    managed.sandbox.advance(Duration::from_secs(2 * 60 * 60));
    let new = Session::clone(&managed.restore(&key).unwrap());
    let hand_over = managed.sessions.hand_over(old);
    let refused = managed.sandbox.run_in(&mut managed.process, hand_over).unwrap_err();
    assert_eq!(refused.error, SessionError::Renewed.into());
    assert!(!SessionError::Renewed.needs_login());

    // Another process is renewing the session.
    let name = format!("session/{key}");
    let record = managed.sandbox.records()[&name].clone();
    let mut value: Value = serde_json::from_slice(&record.value.0).unwrap();
    value["lease"] = json!({"id": "another", "until": 4_000_000_000_u64});
    let value = SecretBytes(Bytes::from(value.to_string()));
    managed.sandbox.put_record(&name, Some(Record { value, ..record.clone() }));
    let hand_over = managed.sessions.hand_over(new.clone());
    let refused = managed.sandbox.run_in(&mut managed.process, hand_over).unwrap_err();
    assert_eq!(refused.error, SessionError::Renewed.into());
    managed.sandbox.put_record(&name, Some(record));

    let hand_over = managed.sessions.hand_over(new.clone());
    managed.sandbox.run_in(&mut managed.process, hand_over).unwrap();
    assert!(managed.sandbox.records().is_empty());
    // The tokens live on, and another store goes on with them.
    let add = managed.sessions.add(new);
    let added = managed.sandbox.run_in(&mut managed.process, add).unwrap();
    assert_eq!(managed.who_am_i(&added).unwrap().reply.response.status(), 200);
}

#[test]
fn an_expired_token_is_renewed_before_it_is_used() {
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    let old = managed.restore(&key).unwrap();
    managed.sandbox.advance(Duration::from_secs(2 * 60 * 60));
    managed.changes();
    let reply = managed.who_am_i(&old).unwrap();
    assert_eq!(reply.reply.response.status(), 200);
    assert_ne!(reply.session.access_token().expose(), old.access_token().expose());
    assert!(matches!(managed.changes()[..], [SessionChange::Refreshed]));
    // The store has the new tokens.
    let stored = managed.restore(&key).unwrap();
    assert_eq!(stored.access_token().expose(), reply.session.access_token().expose());
}

#[test]
fn many_tasks_of_a_process_refresh_once() {
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    managed.sandbox.advance(Duration::from_secs(2 * 60 * 60));
    let sessions = managed.sessions.clone();
    let before = token_requests(&managed);
    let restored = managed.sandbox.run_all((0..1000).map(|_| sessions.restore(&key)));
    let token = |session: &Session| session.access_token().expose().to_owned();
    let tokens: Vec<_> = restored.iter().map(|session| token(session.as_ref().unwrap())).collect();
    assert_eq!(tokens.len(), 1000);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    // One refresh, and at most one retry for a nonce.
    assert!(token_requests(&managed) - before <= 2);
}

/// Number of requests to a token endpoint so far.
fn token_requests(managed: &Managed) -> usize {
    let is_token = |seen: &&Seen| match seen {
        Seen::Request(exchange) => exchange.url.path() == "/oauth/token",
        _ => false,
    };
    managed.sandbox.log().iter().filter(is_token).count()
}

#[test]
fn a_refused_token_is_renewed_once_and_the_request_repeated() {
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    let session = managed.restore(&key).unwrap();
    // Another process has renewed the session, so that the token at hand is no longer valid.
    let renewed = managed.sessions.restore(&key).renew(Renew::Always);
    let renewed = managed.sandbox.run(renewed).unwrap();
    let reply = managed.who_am_i(&session).unwrap();
    assert_eq!(reply.reply.response.status(), 200);
    // Rule G-04: the stored token is another one, so nothing is refreshed.
    let known = [session.access_token().expose(), renewed.access_token().expose()];
    assert!(known.contains(&reply.session.access_token().expose()));
}

/// One task of a program: machines one after the other. The result is that of the last.
struct Task(VecDeque<Work>);

type Work = Box<dyn FnMut(&mut Cx<'_>) -> Poll<Result<(), SessionsError>>>;

fn step<M: Machine<Error = SessionsError> + 'static>(mut machine: M) -> Work {
    Box::new(move |cx| machine.poll(cx).map_ok(drop))
}

impl Machine for Task {
    type Output = ();
    type Error = SessionsError;

    fn budget(&self) -> Budget {
        Budget::new(20, Duration::from_secs(600))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), SessionsError>> {
        loop {
            let front = self.0.front_mut().expect("a task has steps");
            let Poll::Ready(result) = front(cx) else { return Poll::Pending };
            self.0.pop_front();
            if self.0.is_empty() {
                return Poll::Ready(result);
            }
        }
    }
}

#[test]
fn a_refused_token_is_not_given_again_to_an_asker_among_others_who_can_use_it() {
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    let session = managed.restore(&key).unwrap();
    // The token is to be renewed, can be used until then, and another process has the lease.
    managed.sandbox.advance(Duration::from_secs(60 * 60 - 5));
    let name = format!("session/{key}");
    let mut record = managed.sandbox.records()[&name].clone();
    let mut value: Value = serde_json::from_slice(&record.value.0).unwrap();
    let until = managed.sandbox.now().as_secs() + 3;
    value["lease"] = serde_json::json!({"id": "another process", "until": until});
    record.value = SecretBytes(value.to_string().into());
    managed.sandbox.put_record(&name, Some(record));

    let sessions = managed.sessions.clone().clock_skew(Duration::ZERO);
    let restore = |renew| step(sessions.restore(&key).renew(renew));
    let request = |url: &str| {
        let request = Request::get(url).body(Body::default()).unwrap();
        step(sessions.request(Arc::clone(&session), request))
    };
    let (own, other) = (format!("{}/xrpc/a.b.c", session.pds()), "https://other.example.com/");
    // The first task knows of a refusal. It asks first for the run of the third, and then for the run
    // that the second begins a moment before. Both find the token good enough.
    let results = managed.sandbox.run_all([
        Task(VecDeque::from([restore(Renew::Always)])),
        Task(VecDeque::from([restore(Renew::Never), request(other), request(&own)])),
        Task(VecDeque::from([request(other)])),
    ]);
    assert_eq!(results[0], Ok(()));
    let renewed = managed.restore(&key).unwrap();
    assert_ne!(renewed.access_token().expose(), session.access_token().expose());
}

#[test]
fn sessions_of_an_account_are_listed() {
    let mut managed = Managed::new();
    let (first, second) = (managed.log_in(ALICE), managed.log_in(ALICE));
    let carol = managed.log_in("carol.example.com");
    let list = |managed: &mut Managed, did: Option<&Did>| {
        let page = managed.sandbox.run(managed.sessions.list(did)).unwrap();
        assert!(page.sessions.iter().all(|stored| stored.session.is_ok()));
        page.sessions.into_iter().map(|stored| stored.key).collect::<Vec<SessionKey>>()
    };
    let mut of_alice = vec![first.clone(), second.clone()];
    of_alice.sort();
    assert_eq!(list(&mut managed, Some(first.did())), of_alice);
    let mut all = vec![first, second, carol];
    all.sort();
    assert_eq!(list(&mut managed, None), all);
}

#[test]
fn a_keeper_finds_the_sessions_that_were_not_renewed_for_long() {
    // Rule G-07
    let mut managed = Managed::new();
    let old = managed.log_in(ALICE);
    managed.sandbox.advance(Duration::from_secs(7 * 24 * 60 * 60));
    let _new = managed.log_in(ALICE);
    let time = managed.sandbox.now() - Duration::from_secs(24 * 60 * 60);
    let due = managed.sandbox.run(managed.sessions.list(None).idle_since(time)).unwrap();
    assert_eq!(due.sessions.iter().map(|stored| &stored.key).collect::<Vec<_>>(), [&old]);
    let _ = managed.sandbox.run(managed.sessions.restore(&old).renew(Renew::Always)).unwrap();
    let due = managed.sandbox.run(managed.sessions.list(None).idle_since(time)).unwrap();
    assert!(due.sessions.is_empty());
}

#[test]
fn a_dead_pds_costs_two_timeouts_and_not_one_for_each_user() {
    // Rule B-62
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    let session = managed.restore(&key).unwrap();
    let pds = managed.sandbox.names().pds.clone();
    managed.sandbox.fault(Fault::silence().host(&pds).always());
    let mut failures = (0..20).map(|_| {
        let before = managed.sandbox.now();
        let error = managed.who_am_i(&session).unwrap_err().error;
        (managed.sandbox.now().since(before), error)
    });
    let waited: Vec<_> = failures.by_ref().take(2).map(|(waited, _)| waited).collect();
    assert!(waited.iter().all(|waited| *waited >= Duration::from_secs(30)), "{waited:?}");
    for (waited, error) in failures {
        assert_eq!(waited, Duration::ZERO, "{error}");
        assert!(error.is_retryable() && error.retry_after().is_some(), "{error}");
    }
    // The host is back, and is asked after its pause.
    managed.sandbox.clear_faults();
    managed.sandbox.advance(Duration::from_secs(10));
    assert_eq!(managed.who_am_i(&session).unwrap().reply.response.status(), 200);
}

#[test]
fn a_clock_that_is_wrong_is_told_once_and_a_second_attempt_at_each_time() {
    // Rules E-40, G-47
    let mut managed = Managed::new();
    let key = managed.log_in(ALICE);
    let session = managed.restore(&key).unwrap();
    managed.process.take_notices();
    managed.process.set_clock_behind(Duration::from_secs(400));
    managed.who_am_i(&session).unwrap();
    managed.who_am_i(&session).unwrap();
    let notices = managed.process.take_notices();
    let retries = notices.iter().filter_map(|notice| notice.downcast_ref::<Retry>());
    let clocks = retries.filter(|retry| matches!(retry.reason, RetryReason::Clock(_)));
    let texts: Vec<String> = clocks.map(ToString::to_string).collect();
    let server = session.pds();
    assert_eq!(texts, [format!("the clock of {server} differs from the local clock by 400 s")]);
    let changes = notices.iter().filter_map(|notice| notice.downcast_ref::<SessionEvent>());
    let changes: Vec<_> = changes.map(|event| event.change.clone()).collect();
    let [SessionChange::ClockSkew { server, offset }] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((server, offset.seconds()), (session.pds(), 400));
}
