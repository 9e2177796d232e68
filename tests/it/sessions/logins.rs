//! Tests: a pending login in the store is taken once, by its own browser.

use std::time::Duration;

use atproto_oauth_core::{Binding, CallbackProblem, Error, OnRelogin, Sessions, Swept};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::sessions::{ALICE, Managed, binding};

fn problem(error: Error) -> CallbackProblem {
    match error {
        Error::Callback(problem) => problem,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_callback_in_another_browser_is_refused_and_consumes_nothing() {
    // Rule D-13
    let mut managed = Managed::new();
    let begun = managed.begin(ALICE);
    let params = managed.approve(&begun, ALICE);
    let other = managed.begin(ALICE);
    for wrong in [
        Binding::unbound(),
        binding(&other),
        Binding::cookie(""),
        Binding::cookie_header("a=b; atproto-oauth-x=y"),
    ] {
        let refused = managed.finish(params.clone(), wrong).unwrap_err();
        assert!(refused.error.is_security());
        assert_eq!(problem(refused.error), CallbackProblem::OtherBrowser);
    }
    // The login still waits for its own browser.
    let cookie = begun.cookie.as_ref().unwrap();
    let header = format!("theme=dark; {}={}", cookie.name, cookie.value.expose());
    let _ = managed.finish(params, Binding::cookie_header(&header)).unwrap();
}

#[test]
fn the_cookie_of_a_login_is_found_in_any_cookie_header() {
    // With HTTP/2, a browser may send each cookie in a header of its own.
    let mut managed = Managed::new();
    let begun = managed.begin(ALICE);
    let params = managed.approve(&begun, ALICE);
    let cookie = begun.cookie.as_ref().unwrap();
    let mut headers = HeaderMap::new();
    // A cookie of another application may have any bytes.
    headers.append(COOKIE, HeaderValue::from_bytes(b"theme=\xe9; a=b").unwrap());
    let refused = managed.finish(params.clone(), Binding::from_headers(&headers)).unwrap_err();
    assert_eq!(problem(refused.error), CallbackProblem::OtherBrowser);
    let pair = format!("{}={}", cookie.name, cookie.value.expose());
    let beside = [b"city=Z\xc3\xbcrich; ", pair.as_bytes()].concat();
    headers.append(COOKIE, HeaderValue::from_bytes(&beside).unwrap());
    let _ = managed.finish(params, Binding::from_headers(&headers)).unwrap();
}

#[test]
fn a_replayed_callback_never_gets_the_session_of_the_first() {
    // Rules D-43, D-54
    let mut managed = Managed::new();
    let begun = managed.begin(ALICE);
    let params = managed.approve(&begun, ALICE);
    let _ = managed.finish(params.clone(), binding(&begun)).unwrap();
    let replayed = managed.finish(params, binding(&begun)).unwrap_err();
    assert_eq!(problem(replayed.error), CallbackProblem::UnknownState);
    assert_eq!(managed.sandbox.records().len(), 1);
}

#[test]
fn one_of_two_callbacks_at_the_same_time_wins() {
    let mut managed = Managed::new();
    let begun = managed.begin(ALICE);
    let params = managed.approve(&begun, ALICE);
    let finish = (0..5).map(|_| managed.sessions.callback(params.clone(), binding(&begun)));
    let finish: Vec<_> = finish.collect();
    let results = managed.sandbox.run_all(finish);
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for refused in results.into_iter().filter_map(Result::err) {
        assert_eq!(problem(refused.error), CallbackProblem::UnknownState);
    }
}

#[test]
fn an_unbound_login_is_begun_by_name() {
    let mut managed = Managed::new();
    let authorize = managed.client.authorize(atproto_oauth_core::Subject::parse(ALICE).unwrap());
    let begin = managed.sessions.authorize(authorize).unbound_loopback();
    let begun = managed.sandbox.run_in(&mut managed.process, begin).unwrap();
    assert!(begun.cookie.is_none());
    let params = managed.approve(&begun, ALICE);
    let _ = managed.finish(params, Binding::unbound()).unwrap();
}

#[test]
fn each_login_has_a_cookie_of_its_own() {
    let mut managed = Managed::new();
    let [one, other] = [(); 2].map(|()| managed.begin(ALICE).cookie.unwrap());
    assert_ne!(one.name, other.name);
    let text = one.set_cookie();
    let (name, value) = (&one.name, one.value.expose());
    // The redirect URI is an http URL on a loopback address.
    let expected = format!("{name}={value}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax");
    assert_eq!(text, expected);
    assert!(!format!("{one:?}").contains(value));
}

#[test]
fn a_new_login_replaces_the_earlier_ones_if_asked_for() {
    // Rule D18
    let mut managed = Managed::new();
    let first = managed.log_in(ALICE);
    let other_account = managed.log_in("carol.example.com");
    managed.sessions = Sessions::new(&managed.client).on_relogin(OnRelogin::ReplaceAndRevoke);
    let second = managed.log_in(ALICE);
    let mut left = [other_account, second].map(|key| format!("session/{key}"));
    left.sort();
    assert_eq!(managed.sandbox.records().keys().cloned().collect::<Vec<_>>(), left);
    assert!(managed.restore(&first).is_err());
}

#[test]
fn logins_that_nobody_finished_are_swept() {
    let mut managed = Managed::new();
    let _ = managed.begin(ALICE);
    managed.sandbox.advance(Duration::from_secs(500));
    let waiting = managed.begin(ALICE);
    managed.sandbox.advance(Duration::from_secs(200));
    let swept = managed.sandbox.run(managed.sessions.sweep()).unwrap();
    assert_eq!(swept, {
        let mut expected = Swept::default();
        expected.logins = 1;
        expected
    });
    let params = managed.approve(&waiting, ALICE);
    let _ = managed.finish(params, binding(&waiting)).unwrap();
}
