//! The interface of the sandbox: names, documents, sessions, faults, DNS and the log.

use std::time::Duration;

use atproto_dpop::P256Keys;
use atproto_oauth_core::{CallbackParams, Client, ClientKey, SessionEffect, xrpc};
use atproto_oauth_sandbox::{By, Dns, Exchange, Fault, Names, Outcome, ResolvedBy, Sandbox, Seen};
use atproto_sansio::{Keys, SystemEntropy, UnixTime};
use bytes::Bytes;
use http::{Method, Request, StatusCode};

use crate::sandbox::{ALICE, RITA, begin, confidential, log_in, loopback, scopes, server, status};

#[test]
fn urls_in_names_are_normalized() {
    let names = Names {
        plc: "HTTPS://PLC.Directory/".to_owned(),
        pds: "https://PDS.Example.com:443/".to_owned(),
        did_web: "Wendy.Example.com".to_owned(),
        handles: ".Example.com".to_owned(),
        ..Names::default()
    };
    let (mut sandbox, client) = (Sandbox::with_names(1, names), loopback());
    assert_eq!(*sandbox.names(), Names::default());
    for who in [ALICE, "wendy.example.com"] {
        let session = log_in(&mut sandbox, &client, who);
        assert_eq!(status(&mut sandbox, &client, &session), 200);
    }
}

#[test]
fn a_document_is_found_however_its_url_is_written() {
    let mut sandbox = Sandbox::new(1);
    sandbox.publish_json("HTTPS://App.Example.dev:443/c.json#here", "{}");
    let request = Request::get("https://app.example.dev/c.json").body(Bytes::new()).unwrap();
    assert!(sandbox.exchange(request).whole().is_some());
}

#[test]
#[should_panic(expected = "an absolute http or https URL")]
fn a_document_needs_an_absolute_url() {
    Sandbox::new(1).publish_json("/c.json", "{}");
}

#[test]
#[should_panic(expected = "an absolute http or https URL")]
fn a_document_needs_an_http_url() {
    Sandbox::new(1).publish_json("ftp://app.client.dev/c.json", "{}");
}

#[test]
#[should_panic(expected = "another server has the origin https://pds.example.com")]
fn an_origin_has_one_server() {
    Sandbox::new(1).add_server("https://pds.example.com/");
}

#[test]
#[should_panic(expected = "a location is a valid header value")]
fn a_redirect_fault_needs_a_valid_header_value() {
    let _ = Fault::redirect(StatusCode::FOUND, "https://example.com/\n");
}

#[test]
fn end_sessions_ends_all_sessions_of_an_account() {
    for who in [ALICE, RITA] {
        let (mut sandbox, client) = (Sandbox::new(1), loopback());
        let (session, other) =
            (log_in(&mut sandbox, &client, who), log_in(&mut sandbox, &client, who));
        let bystander = log_in(&mut sandbox, &client, "sara.example.com");
        let at = sandbox.server_of(who).unwrap();
        assert_eq!(Some(at), sandbox.find_server(session.pds().as_str()));
        assert_eq!(sandbox.server_of("nobody.example.com"), None);
        sandbox.end_sessions(who);
        for session in [session, other] {
            assert_eq!(status(&mut sandbox, &client, &session), 401);
            let failed = sandbox.run(client.refresh(session)).unwrap_err();
            assert_eq!(failed.effect, SessionEffect::Dead);
        }
        assert_eq!(status(&mut sandbox, &client, &bystander), 200);
    }
}

#[test]
fn publish_client_publishes_the_jwks_uri_too() {
    let key = ClientKey::new(P256Keys.generate(&mut SystemEntropy)).unwrap();
    let client = Client::web("https://app.client.dev/c.json", scopes())
        .redirect_uri("https://app.client.dev/callback")
        .jwks_uri("https://app.client.dev/jwks.json".parse().unwrap())
        .key(key)
        .build()
        .unwrap();
    let mut sandbox = Sandbox::new(1);
    sandbox.publish_client(&client);
    let session = log_in(&mut sandbox, &client, ALICE);
    assert_eq!(status(&mut sandbox, &client, &session), 200);
}

#[test]
fn a_fault_can_be_limited_to_servers_or_to_the_client() {
    let fault = || Fault::status(StatusCode::BAD_GATEWAY).host("app.client.dev:443").always();
    for (fault, is_met) in
        [(fault(), true), (fault().by_servers(), true), (fault().by_client(), false)]
    {
        let (mut sandbox, client) = (Sandbox::new(1), confidential());
        sandbox.publish_client(&client);
        sandbox.fault(fault);
        let begun = sandbox.run(client.authorize(ALICE.parse().unwrap()));
        assert_eq!(begun.is_err(), is_met, "{begun:?}");
        let is_met_server =
            |seen: &Exchange| seen.fault.is_some() && matches!(seen.by, By::Server(_));
        let mut seen = sandbox.log().iter().filter_map(|seen| match seen {
            Seen::Request(exchange) => Some(exchange),
            _ => None,
        });
        assert_eq!(seen.any(|exchange| is_met_server(exchange)), is_met);
    }
}

#[test]
fn a_preflight_request_meets_a_fault_only_if_the_fault_names_options() {
    let mut sandbox = Sandbox::new(1);
    let url = format!("{}/oauth/token", sandbox.names().pds);
    let ask = |sandbox: &mut Sandbox, method: Method| {
        let request = Request::builder().method(method).uri(&url).body(Bytes::new()).unwrap();
        sandbox.exchange(request).outcome
    };
    sandbox.fault(Fault::lose_request().path("/oauth/token"));
    assert!(matches!(ask(&mut sandbox, Method::OPTIONS), Outcome::Complete(_)));
    assert!(matches!(ask(&mut sandbox, Method::POST), Outcome::Closed));
    sandbox.fault(Fault::lose_request().method(Method::OPTIONS));
    assert!(matches!(ask(&mut sandbox, Method::OPTIONS), Outcome::Closed));
}

#[test]
fn a_dns_fault_can_skip_and_repeat() {
    let mut sandbox = Sandbox::new(1);
    let name = format!("_atproto.{ALICE}");
    sandbox.fault(Fault::dns(Dns::Fails).host(ALICE).skip(1).times(2));
    sandbox.fault(Fault::dns(Dns::Silent).host("carol.example.com"));
    let answers: Vec<bool> = (0..4).map(|_| sandbox.look_up(&name) == Dns::Fails).collect();
    assert_eq!(answers, [false, true, true, false]);

    // A DNS fault also applies to DNS over HTTPS, and not to HTTP requests.
    sandbox.fault(Fault::dns(Dns::Fails));
    let pds = sandbox.names().pds.clone();
    let _ = begin(&mut sandbox, &loopback(), &pds);
    let doh = format!("{}/dns-query?name={name}&type=TXT", sandbox.names().doh);
    let request = Request::get(doh).body(Bytes::new()).unwrap();
    let answer = sandbox.exchange(request).whole().unwrap();
    assert!(String::from_utf8_lossy(answer.body()).contains("\"Status\":2"));

    // After a failed lookup, a later login looks the handle up again.
    sandbox.fault(Fault::dns(Dns::Fails).host(ALICE));
    let client = loopback();
    assert!(sandbox.run(client.authorize(ALICE.parse().unwrap())).is_err());
    sandbox.advance(Duration::from_secs(3600));
    let _ = begin(&mut sandbox, &client, ALICE);
}

#[test]
fn the_log_has_the_body_of_a_lost_response() {
    for (fault, is_delivered) in [
        (Fault::lose_answer(), false),
        (Fault::silence(), false),
        (Fault::cut(3), false),
        (Fault::delay(Duration::from_secs(1)), true),
    ] {
        let (mut sandbox, client) = (Sandbox::new(1), loopback());
        let session = log_in(&mut sandbox, &client, ALICE);
        sandbox.clear_log();
        sandbox.fault(fault.path("/oauth/token"));
        let refreshed = sandbox.run(client.refresh(session));
        assert_eq!(refreshed.is_ok(), is_delivered);
        let token = sandbox.requests().find(|request| request.path() == "/oauth/token").unwrap();
        assert_eq!((token.status, token.delivered), (Some(200), is_delivered));
        assert!(String::from_utf8_lossy(&token.answer_body).contains("access_token"));
        assert_eq!(token.to_string().contains("(lost)"), !is_delivered, "{token}");
    }
}

#[test]
fn the_log_of_lookups_is_bounded() {
    let mut sandbox = Sandbox::new(1);
    for n in 0..12_000 {
        sandbox.look_up(&format!("{n}.example.com"));
    }
    assert!((9_000..=10_000).contains(&sandbox.log().len()));
    let last = sandbox.log().last().unwrap().to_string();
    assert!(last.contains("11999.example.com"), "{last}");
    let pds = server(&sandbox, &sandbox.names().pds);
    assert_eq!(sandbox.sessions(pds), 0);
}

#[test]
fn requests_lists_only_requests_of_the_client() {
    let (mut sandbox, client) = (Sandbox::new(1), confidential());
    sandbox.publish_client(&client);
    let _ = begin(&mut sandbox, &client, ALICE);
    let fetched = format!("GET {} 200", client.client_id());
    assert!(sandbox.log().iter().any(|seen| seen.to_string() == fetched), "{:?}", sandbox.log());
    assert!(sandbox.requests().count() > 0);
    assert!(sandbox.requests().all(|request| request.by == By::Client));
}

#[test]
fn the_log_can_be_switched_off() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    sandbox.keep_log(false);
    let _ = begin(&mut sandbox, &client, ALICE);
    assert_eq!(sandbox.log().len(), 0);
    sandbox.keep_log(true);
    sandbox.look_up("example.com");
    assert_eq!(sandbox.log().len(), 1);
}

#[test]
fn handles_are_looked_up_under_the_atproto_prefix() {
    let mut sandbox = Sandbox::new(1);
    assert_eq!(sandbox.look_up(ALICE), Dns::NoSuchName);
    assert!(matches!(sandbox.look_up(&format!("_atproto.{ALICE}")), Dns::Records(_)));
    sandbox.rename(ALICE, "alicia.example.com");
    assert_eq!(sandbox.look_up(&format!("_atproto.{ALICE}")), Dns::NoSuchName);
    assert!(matches!(sandbox.look_up("_atproto.Alicia.example.com"), Dns::Records(_)));
}

#[test]
fn a_known_host_answers_404_for_an_unknown_path() {
    let mut sandbox = Sandbox::new(1);
    let names = sandbox.names().clone();
    sandbox.publish_json("https://app.client.dev/c.json", "{}");
    let mut ask = |url: String| {
        let answer = sandbox.exchange(Request::get(url).body(Bytes::new()).unwrap()).whole();
        answer.map(|answer| answer.status().as_u16())
    };
    assert_eq!(ask(format!("{}/nothing", names.doh)), Some(404));
    assert_eq!(ask(format!("{}/dns-query?name=a.example&type=TXT", names.plc)), Some(404));
    assert_eq!(
        ask("https://app.client.dev/dns-query?name=a.example&type=TXT".to_owned()),
        Some(404)
    );
    assert_eq!(ask("https://app.client.dev/".to_owned()), Some(404));
    assert_eq!(ask("https://unknown.client.dev/c.json".to_owned()), None);
}

#[test]
fn the_page_proposes_the_account_of_the_login_hint() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let pds = sandbox.names().pds.clone();
    for (subject, proposed) in [("carol.example.com", "carol"), (&*pds, "alice")] {
        let begun = begin(&mut sandbox, &client, subject);
        let request = Request::get(begun.url.as_str()).body(Bytes::new()).unwrap();
        let page = sandbox.exchange(request).whole().unwrap();
        let page = String::from_utf8_lossy(page.body()).into_owned();
        assert!(page.contains(&format!("value=\"{proposed}.example.com\" list=")), "{page}");
        assert!(page.contains(&format!("value=\"{proposed}-pass\"")), "{page}");
        // The page lists the accounts of its own server only.
        assert!(page.contains("dave.example.com") && !page.contains("bob.example.com"), "{page}");
    }
}

#[test]
fn a_blob_has_at_most_100_mib() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let session = log_in(&mut sandbox, &client, ALICE);
    let largest = 100 * 1024 * 1024;
    for (size, expected) in [(largest, 200), (largest + 1, 413)] {
        let bytes = vec![0; size];
        let upload = xrpc::blob("com.atproto.repo.uploadBlob", &[], "image/png", bytes).unwrap();
        let answer = sandbox.run(client.request(&session, upload).unwrap()).unwrap().response;
        assert_eq!(answer.status(), expected, "{size}");
    }
}

#[test]
fn a_response_has_a_date_up_to_the_year_9999() {
    let mut sandbox = Sandbox::new(1);
    let date = |sandbox: &mut Sandbox| {
        let request = Request::get(&sandbox.names().plc).body(Bytes::new()).unwrap();
        let answer = sandbox.exchange(request).whole().unwrap();
        answer.headers().get("date").map(|date| date.to_str().unwrap().to_owned())
    };
    assert_eq!(date(&mut sandbox).unwrap(), "Thu, 01 Jan 2026 00:00:00 GMT");
    sandbox.set_now(UnixTime::from_secs(253_402_300_799));
    assert_eq!(date(&mut sandbox).unwrap(), "Fri, 31 Dec 9999 23:59:59 GMT");
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(date(&mut sandbox), None);
}

#[test]
fn a_refused_connection_takes_precedence_over_a_silent_server() {
    let mut sandbox = Sandbox::new(1);
    sandbox.fault(Fault::refuse());
    sandbox.fault(Fault::silence());
    let request = Request::get(&sandbox.names().plc).body(Bytes::new()).unwrap();
    assert!(matches!(sandbox.exchange(request).outcome, Outcome::Refused));
}

#[test]
fn a_fetch_by_a_server_takes_time_and_times_out_after_ten_seconds() {
    let second = Duration::from_secs(1);
    for (fault, took, is_begun) in [
        (Fault::delay(second * 9), second * 9, true),
        (Fault::trickle(second * 9), second * 9, true),
        (Fault::delay(second * 60), second * 10, false),
        (Fault::silence(), second * 10, false),
    ] {
        let (mut sandbox, client) = (Sandbox::new(1), confidential());
        sandbox.publish_client(&client);
        sandbox.fault(fault.by_servers());
        let before = sandbox.now();
        let begun = sandbox.run(client.authorize(ALICE.parse().unwrap()));
        assert_eq!((sandbox.now().since(before), begun.is_ok()), (took, is_begun), "{begun:?}");
    }
}

#[test]
fn a_published_document_replaces_the_built_in_one() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let url = format!("{}/{}", sandbox.names().plc, sandbox.did(ALICE).unwrap());
    sandbox.publish_json(&url, r#"{"id": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}"#);
    assert!(sandbox.run(client.authorize(ALICE.parse().unwrap())).is_err());
}

#[test]
fn expired_sessions_are_not_counted() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let _ = log_in(&mut sandbox, &client, ALICE);
    let pds = sandbox.server_of(ALICE).unwrap();
    assert_eq!(sandbox.sessions(pds), 1);
    sandbox.advance(Duration::from_secs(15 * 24 * 3600));
    assert_eq!(sandbox.sessions(pds), 0);
}

#[test]
fn end_sessions_invalidates_pending_codes() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let begun = begin(&mut sandbox, &client, ALICE);
    let back = sandbox.approve(&begun.url, ALICE).unwrap();
    sandbox.end_sessions(ALICE);
    let back = CallbackParams::parse(&back).unwrap();
    let failed = sandbox.run(client.callback(begun.pending, back)).unwrap_err();
    assert_eq!(failed.error.oauth_error_code(), Some("invalid_grant"));
}

#[test]
#[should_panic(expected = "another account has the handle alice.example.com")]
fn a_handle_belongs_to_one_account() {
    let mut sandbox = Sandbox::new(1);
    let pds = server(&sandbox, &sandbox.names().pds);
    sandbox.add_account(pds, ALICE, ResolvedBy::Dns);
}

#[test]
#[should_panic(expected = "the entryway https://entryway.example.org hosts no accounts")]
fn an_entryway_has_no_accounts() {
    let mut sandbox = Sandbox::new(1);
    let entryway = server(&sandbox, &sandbox.names().entryway);
    sandbox.add_account(entryway, "erin.example.com", ResolvedBy::Dns);
}

#[test]
fn an_unknown_host_refuses_connections() {
    let mut sandbox = Sandbox::new(1);
    for url in ["https://plc.directory.client.dev/", "https://plc.directory:444/"] {
        let request = Request::get(url).body(Bytes::new()).unwrap();
        assert!(matches!(sandbox.exchange(request).outcome, Outcome::Refused), "{url}");
    }
    let did = sandbox.did(ALICE).unwrap().replace(':', "%3A");
    let url = format!("{}/{did}", sandbox.names().plc);
    let answer = sandbox.exchange(Request::get(url).body(Bytes::new()).unwrap()).whole().unwrap();
    assert_eq!(answer.status(), 200);
}
