//! The sandbox's authorization page, its limits, and accounts that have moved away.

use atproto_oauth_core::{NoncePolicy, xrpc};
use atproto_oauth_sandbox::Sandbox;
use atproto_oauth_tests::replayer::proof::hash;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use url::Url;

use crate::sandbox::{ALICE, begin, log_in, loopback, server, status};

/// Posts the form of the page with the cookie `device`, without opening the page first. Returns the
/// status and the `Location`.
fn decide(sandbox: &mut Sandbox, authorize: &Url, device: &str, csrf: &str) -> (u16, String) {
    let form = url::form_urlencoded::Serializer::new(authorize.query().unwrap().to_owned())
        .append_pair("csrf", csrf)
        .append_pair("identifier", ALICE)
        .append_pair("password", "alice-pass")
        .append_pair("scope", "atproto")
        .append_pair("decision", "approve")
        .finish();
    let mut url = authorize.clone();
    url.set_query(None);
    let request = Request::post(url.as_str()).header("cookie", format!("sandbox-device={device}"));
    let response = sandbox.exchange(request.body(Bytes::from(form)).unwrap()).whole().unwrap();
    let location = response.headers().get("location").map(|value| value.to_str().unwrap());
    (response.status().as_u16(), location.unwrap_or_default().to_owned())
}

#[test]
fn a_browser_that_has_not_opened_the_page_cannot_consent() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let begun = begin(&mut sandbox, &client, ALICE);
    // The CSRF token belongs to another browser.
    assert_eq!(decide(&mut sandbox, &begun.url, "a", &hash("b")).0, 400);
    let (status, location) = decide(&mut sandbox, &begun.url, "a", &hash("a"));
    assert_eq!(status, 303);
    assert!(location.contains("error=access_denied"), "{location}");
}

#[test]
fn a_request_uri_belongs_to_its_client() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let begun = begin(&mut sandbox, &client, ALICE);
    let mut other = begun.url.clone();
    let other_id = [("client_id".to_owned(), "https://other.client.dev/c.json".to_owned())];
    let own = begun.url.query_pairs().into_owned().filter(|(name, _)| name != "client_id");
    other.query_pairs_mut().clear().extend_pairs(other_id.into_iter().chain(own));
    let stuck = sandbox.approve(&other, ALICE).unwrap_err();
    assert!(matches!(stuck, atproto_oauth_sandbox::NoRedirect::ErrorPage(_)), "{stuck:?}");
    assert!(sandbox.approve(&begun.url, ALICE).unwrap().contains("code="));
}

#[test]
fn a_form_is_not_larger_than_a_hundred_kilobytes() {
    let mut sandbox = Sandbox::new(1);
    for (size, expected) in [(100 * 1024, 400), (100 * 1024 + 1, 413)] {
        let request = Request::post(format!("{}/oauth/par", sandbox.names().pds))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from("x".repeat(size)));
        let response = sandbox.exchange(request.unwrap()).whole().unwrap();
        assert_eq!(response.status(), expected, "{size}");
    }
}

#[test]
fn an_old_server_reports_a_moved_account_as_deactivated() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let new = server(&sandbox, &sandbox.names().other_pds.clone());
    let session = log_in(&mut sandbox, &client, ALICE);
    assert_eq!(status(&mut sandbox, &client, &session), 200);
    sandbox.migrate(ALICE, new);

    let query = xrpc::query("com.atproto.server.getSession", &[]).unwrap();
    let answer = sandbox.run(client.request(&session, query).unwrap()).unwrap().response;
    let answer: Value = xrpc::json(&answer).unwrap();
    assert_eq!((&answer["active"], &answer["status"]), (&json!(false), &json!("deactivated")));
    let record = json!({"repo": session.did(), "collection": "com.example.note", "record": {}});
    let write = xrpc::procedure("com.atproto.repo.createRecord", &[], &record).unwrap();
    let refused = sandbox.run(client.request(&session, write).unwrap()).unwrap().response;
    assert_eq!(refused.status(), 401);
    let refused: Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!(refused["error"], "AccountDeactivated");
}

#[test]
fn a_server_without_nonces_is_accepted_unless_the_client_is_strict() {
    let mut sandbox = Sandbox::new(1);
    let pds = server(&sandbox, &sandbox.names().pds.clone());
    sandbox.require_nonces(pds, false);
    let scopes = || atproto_oauth_core::Scopes::parse("atproto").unwrap();
    let strict = atproto_oauth_core::Client::loopback(scopes());
    let strict = strict.nonce_policy(NoncePolicy::Strict).build().unwrap();
    assert!(sandbox.run(strict.authorize(ALICE.parse().unwrap())).is_err());
    let client = atproto_oauth_core::Client::loopback(scopes());
    let client = client.build().unwrap();
    let session = log_in(&mut sandbox, &client, ALICE);
    assert_eq!(status(&mut sandbox, &client, &session), 200);
    assert!(sandbox.requests().all(|request| !request.answer_headers.contains_key("dpop-nonce")));
}
