//! Edge cases of the sandbox: CORS, extreme durations, similar host names, and faults that match by
//! more than a path.

use std::time::Duration;

use atproto_oauth_core::{Error, SessionEffect};
use atproto_oauth_sandbox::{Fault, Outcome, Process, Sandbox};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response};

use crate::sandbox::{ALICE, CAROL, begin, confidential, log_in, loopback, server, status};

fn ask(sandbox: &mut Sandbox, method: Method, url: &str) -> Option<Response<Bytes>> {
    let request = Request::builder().method(method).uri(url).body(Bytes::new()).unwrap();
    sandbox.exchange(request).whole()
}

fn shown(response: &Response<Bytes>, name: &str) -> String {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

#[test]
fn requests_of_other_origins_are_allowed() {
    let mut sandbox = Sandbox::new(1);
    let pds = sandbox.names().pds.clone();
    let session = "/xrpc/com.atproto.server.getSession";
    for path in ["/oauth/par", "/oauth/token", "/oauth/revoke", session] {
        let url = format!("{pds}{path}");
        let before = ask(&mut sandbox, Method::OPTIONS, &url).unwrap();
        assert_eq!(before.status(), 200, "{path}");
        assert_eq!(shown(&before, "access-control-allow-origin"), "*", "{path}");
        assert_eq!(shown(&before, "access-control-allow-methods"), "*", "{path}");
        let allowed = shown(&before, "access-control-allow-headers");
        assert!(["DPoP", "Authorization", "Content-Type"].iter().all(|h| allowed.contains(h)));
        let method = if path == session { Method::GET } else { Method::POST };
        let answer = ask(&mut sandbox, method, &url).unwrap();
        let exposed = shown(&answer, "access-control-expose-headers");
        assert!(exposed.contains("DPoP-Nonce") && exposed.contains("WWW-Authenticate"), "{path}");
    }
}

#[test]
fn the_longest_durations_do_not_overflow() {
    for _ in 0..2 {
        let (mut sandbox, client) = (Sandbox::new(1), loopback());
        sandbox.set_latency(Duration::from_secs(1));
        for fault in [Fault::delay(Duration::MAX), Fault::delay(Duration::MAX)] {
            sandbox.fault(fault.path("/oauth/par"));
        }
        sandbox.fault(Fault::trickle(Duration::MAX).path("/oauth/par"));
        assert!(sandbox.run(client.authorize(ALICE.parse().unwrap())).is_err());
        // After the year 9999, responses have no `Date`, because no date can express the time.
        sandbox.advance(Duration::MAX);
        let url = format!("{}/.well-known/oauth-protected-resource", sandbox.names().pds);
        let answer = ask(&mut sandbox, Method::GET, &url).unwrap();
        assert_eq!(shown(&answer, "date"), "");
    }
}

#[test]
fn a_login_in_a_slow_network_fails_within_two_minutes() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    sandbox.set_latency(Duration::from_secs(3600));
    let before = sandbox.now();
    assert!(sandbox.run(client.authorize(ALICE.parse().unwrap())).is_err());
    assert!(sandbox.now().since(before) < Duration::from_secs(120));
}

#[test]
fn two_processes_generate_different_secrets() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let mut process = Process::new(1);
    let theirs = begin(&mut sandbox, &client, ALICE);
    let other = sandbox.run_in(&mut process, client.authorize(ALICE.parse().unwrap())).unwrap();
    assert_ne!(theirs.pending.state(), other.pending.state());
}

#[test]
fn handle_hosts_answer_only_https_on_port_443() {
    let mut sandbox = Sandbox::new(1);
    let well_known = |start: &str| format!("{start}{CAROL}/.well-known/atproto-did");
    assert!(ask(&mut sandbox, Method::GET, &well_known("https://")).is_some());
    assert!(ask(&mut sandbox, Method::GET, &well_known("http://")).is_none());
    let other_port = well_known("https://").replace(CAROL, &format!("{CAROL}:8443"));
    assert!(ask(&mut sandbox, Method::GET, &other_port).is_none());
    assert!(
        ask(&mut sandbox, Method::GET, "http://wendy.example.com/.well-known/did.json").is_none()
    );
    // DNS over HTTPS answers only queries of the type TXT.
    let doh = format!("{}/dns-query?name=_atproto.{ALICE}", sandbox.names().doh);
    for (kind, found) in [("TXT", true), ("16", true), ("A", false)] {
        let answer = ask(&mut sandbox, Method::GET, &format!("{doh}&type={kind}")).unwrap();
        let answer = String::from_utf8_lossy(answer.body()).into_owned();
        assert_eq!(answer.contains("did=did:plc:"), found, "{kind}");
    }
}

#[test]
fn a_server_waits_for_a_document_as_long_as_the_reference_server() {
    for (seconds, is_had) in [(10, true), (11, false)] {
        let (mut sandbox, client) = (Sandbox::new(1), confidential());
        sandbox.publish_client(&client);
        let slow = Fault::delay(Duration::from_secs(seconds)).host("app.client.dev");
        sandbox.fault(slow);
        let begun = sandbox.run(client.authorize(ALICE.parse().unwrap()));
        assert_eq!(begun.is_ok(), is_had, "{seconds} seconds: {begun:?}");
    }
}

#[test]
fn a_fault_can_be_limited_to_a_form_field() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let refreshing = Fault::lose_answer().path("/oauth/token").form("grant_type", "refresh_token");
    sandbox.fault(refreshing.host("PDS.example.com"));
    let session = log_in(&mut sandbox, &client, ALICE);
    let failed = sandbox.run(client.refresh(session)).unwrap_err();
    assert_eq!(failed.effect, SessionEffect::Ambiguous);
}

#[test]
fn a_fault_can_repeat_a_header() {
    // Rule E-32: a response with two nonces counts as one without a nonce.
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let nonce = (HeaderName::from_static("dpop-nonce"), HeaderValue::from_static("another"));
    sandbox.fault(Fault::with_another_header(nonce.0, nonce.1).path("/oauth/par").always());
    let failed = sandbox.run(client.authorize(ALICE.parse().unwrap())).unwrap_err();
    assert!(matches!(failed, Error::NonceRetryExhausted(_)), "{failed:?}");
}

#[test]
fn the_log_keeps_the_last_requests() {
    let mut sandbox = Sandbox::new(1);
    let url = format!("{}/oauth/par", sandbox.names().pds);
    for n in 0..12_000_u32 {
        let body = Bytes::from(if n == 11_999 { vec![b'x'; 70_000] } else { n.to_string().into() });
        let request = Request::post(&url).body(body).unwrap();
        assert!(matches!(sandbox.exchange(request).outcome, Outcome::Complete(_)));
    }
    let kept: Vec<_> = sandbox.requests().collect();
    assert!((9_000..=10_000).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[kept.len() - 2].body, "11998");
    assert!(kept[kept.len() - 1].body.is_empty(), "the log drops a body that is too large");
}

#[test]
fn all_faults_of_a_request_are_named() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let pds = server(&sandbox, &sandbox.names().pds.clone());
    sandbox.fault(Fault::reset_nonces().path("/oauth/par"));
    sandbox.fault(Fault::delay(Duration::from_secs(1)).path("/oauth/par"));
    let session = log_in(&mut sandbox, &client, ALICE);
    assert_eq!(status(&mut sandbox, &client, &session), 200);
    let faults: Vec<_> = sandbox.requests().filter_map(|request| request.fault.clone()).collect();
    assert_eq!(faults, ["nonces reset, delayed"]);
    assert_eq!(sandbox.sessions(pds), 1);
}

#[test]
fn the_time_of_a_page_is_not_charged_to_the_next_request() {
    let (mut sandbox, client) = (Sandbox::new(1), confidential());
    sandbox.publish_client(&client);
    let begun = begin(&mut sandbox, &client, ALICE);
    let pds = server(&sandbox, &sandbox.names().pds);
    sandbox.forget_clients(pds);
    sandbox.fault(Fault::delay(Duration::from_secs(5)).host("app.client.dev").by_servers());
    // The page fetches the metadata of the client, without a request of the client.
    sandbox.approve(&begun.url, ALICE).unwrap();
    let url = format!("{}/.well-known/oauth-protected-resource", sandbox.names().pds);
    let next = sandbox.exchange(Request::get(url).body(Bytes::new()).unwrap());
    assert_eq!(next.delay, Duration::ZERO);
}

#[test]
fn a_host_may_be_slow_and_a_directory_silent() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let (pds, plc) = (sandbox.names().pds.clone(), sandbox.names().plc.clone());
    sandbox.fault(Fault::delay(Duration::from_secs(2)).host(&pds).always());
    let before = sandbox.now();
    let _ = begin(&mut sandbox, &client, ALICE);
    // Metadata, a pushed request without a nonce, and the same with it.
    assert_eq!(sandbox.now().since(before), Duration::from_secs(6));

    sandbox.process().forget();
    sandbox.fault(Fault::silence().host(&plc).always());
    let before = sandbox.now();
    assert!(sandbox.run(client.authorize(ALICE.parse().unwrap())).is_err());
    let waited = sandbox.now().since(before);
    assert!(waited > Duration::from_secs(2) && waited < Duration::from_secs(120), "{waited:?}");
}
