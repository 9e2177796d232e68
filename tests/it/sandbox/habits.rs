//! Servers that behave like those that people run, as raw requests see them.

use std::time::Duration;

use atproto_dpop::{DpopKey, P256Keys, Proof};
use atproto_oauth_core::CallbackParams;
use atproto_oauth_sandbox::{
    Browser, Consent, ErrorForm, Fault, Habits, NoRedirect, NonceOnSuccess, ReasonMember, Sandbox,
    ServerId,
};
use atproto_sansio::{SystemEntropy, UnixTime};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::sandbox::{ALICE, begin, log_in, loopback, server};

const CALLBACK: &str = "http://127.0.0.1/callback";
/// The verifier of RFC 7636 appendix B, and its challenge.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A client of raw requests, and the network with the server that it asks.
struct Raw {
    sandbox: Sandbox,
    pds: ServerId,
    key: DpopKey,
    requests: u8,
    /// Difference between the `iat` of the proofs and the time, in seconds.
    shift: i64,
    nonce: Option<String>,
    scope: &'static str,
}

impl Raw {
    fn new(habits: Habits) -> Self {
        let mut sandbox = Sandbox::new(1);
        let pds = server(&sandbox, &sandbox.names().pds);
        sandbox.set_habits(pds, habits);
        let key = DpopKey::generate(&P256Keys, &mut SystemEntropy);
        Self { sandbox, pds, key, requests: 0, shift: 0, nonce: None, scope: "atproto" }
    }

    /// Sends a request whose proof is signed by `key`.
    fn send(&mut self, key: &DpopKey, head: (Method, &str), token: &str, body: String) -> Answer {
        self.requests += 1;
        let (method, path) = head;
        let url = format!("{}{path}", self.sandbox.names().pds);
        let now = self.sandbox.now().since(UnixTime::from_secs(0)).as_secs();
        let access = (!token.is_empty()).then(|| atproto_dpop::AccessToken::new(token).unwrap());
        let proof = Proof {
            jti: [self.requests; 16],
            htm: method.as_str(),
            htu: &url,
            iat: now.checked_add_signed(self.shift).unwrap(),
            nonce: self.nonce.as_deref(),
            ath: access.as_ref().map(|token| token.ath()),
        };
        let mut request = Request::builder()
            .method(&method)
            .uri(&url)
            .header("dpop", key.prove(&proof, &P256Keys).unwrap());
        if token.is_empty() {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        } else {
            request = request.header("authorization", format!("DPoP {token}"));
        }
        let request = request.body(Bytes::from(body)).unwrap();
        Answer(self.sandbox.exchange(request).whole().unwrap())
    }

    /// Sends a form to an endpoint of the authorization server.
    fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut id = Serializer::new("http://localhost?".to_owned());
        id.append_pair("redirect_uri", CALLBACK).append_pair("scope", self.scope);
        let mut form = Serializer::new(String::new());
        form.append_pair("client_id", &id.finish()).extend_pairs(fields);
        let key = self.key.clone();
        self.send(&key, (Method::POST, path), "", form.finish())
    }

    fn revoke(&mut self) -> Answer {
        self.post("/oauth/revoke", &[("token", "unknown")])
    }

    fn refresh(&mut self) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", "unknown")];
        self.post("/oauth/token", &fields)
    }

    fn push(&mut self, redirect_uri: &str) -> Answer {
        let scope = self.scope;
        let fields = [
            ("response_type", "code"),
            ("redirect_uri", redirect_uri),
            ("scope", scope),
            ("state", "s"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        self.post("/oauth/par", &fields)
    }

    /// Takes the nonce of a response with an error, which always has one.
    fn learn_nonce(&mut self) {
        self.nonce = None;
        let answer = self.post("/oauth/token", &[]);
        self.nonce = answer.header("dpop-nonce");
        assert!(self.nonce.is_some());
    }

    /// Pushes a request, and returns the code for which alice consents.
    fn code(&mut self) -> String {
        self.learn_nonce();
        let pushed = self.push(CALLBACK);
        let id = self.sandbox.requests().last().unwrap().form("client_id").unwrap();
        let mut url = url::Url::parse(&self.sandbox.names().pds).unwrap();
        url.set_path("/oauth/authorize");
        url.query_pairs_mut()
            .append_pair("client_id", &id)
            .append_pair("request_uri", &pushed.text("request_uri"));
        let back = url::Url::parse(&self.sandbox.approve(&url, ALICE).unwrap()).unwrap();
        back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
    }

    fn exchange(&mut self, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.post("/oauth/token", &fields)
    }
}

struct Answer(Response<Bytes>);

impl Answer {
    fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    fn header(&self, name: &str) -> Option<String> {
        Some(self.0.headers().get(name)?.to_str().unwrap().to_owned())
    }

    /// Returns a member of the body; empty if it is missing.
    fn text(&self, name: &str) -> String {
        let body: Value = serde_json::from_slice(self.0.body()).unwrap();
        body[name].as_str().unwrap_or_default().to_owned()
    }

    /// Status, `error`, and whether there is a challenge.
    fn form(&self) -> (u16, String, bool) {
        (self.status(), self.text("error"), self.header("www-authenticate").is_some())
    }
}

/// The habits of all servers, by name. Each of them accepts loopback clients.
fn all() -> Vec<(&'static str, Habits)> {
    let mut pegasus = Habits::pegasus();
    pegasus.fetches_loopback_clients = false;
    vec![
        ("reference", Habits::reference()),
        ("tranquil", Habits::tranquil()),
        ("cirrus", Habits::cirrus()),
        ("ezpds", Habits::ezpds()),
        ("cocoon", Habits::cocoon()),
        ("pegasus", pegasus),
    ]
}

#[test]
fn a_new_server_has_the_habits_of_the_reference_server() {
    assert_eq!(Habits::default(), Habits::reference());
}

#[test]
fn each_server_has_a_window_for_iat() {
    let windows = [
        ("reference", 190, 180),
        ("tranquil", 300, 300),
        ("cirrus", 70, 10),
        ("ezpds", 60, 60),
        ("cocoon", 185, 5),
        ("pegasus", 180, 5),
    ];
    for ((name, habits), (same, past, future)) in all().into_iter().zip(windows) {
        assert_eq!(name, same);
        let mut raw = Raw::new(habits);
        raw.learn_nonce();
        let refused = match name {
            "cocoon" => (400, "InvalidRequest".to_owned(), false),
            _ => (401, "invalid_dpop_proof".to_owned(), true),
        };
        for shift in [-past, future] {
            raw.shift = shift;
            assert_eq!(raw.revoke().status(), 200, "{name} {shift}");
            raw.shift = shift + shift.signum();
            assert_eq!(raw.revoke().form(), refused, "{name} {shift}");
        }
    }
}

#[test]
fn tranquil_accepts_a_missing_nonce_and_refuses_an_old_one() {
    for (name, habits) in all() {
        let mut raw = Raw::new(habits);
        let accepts = raw.revoke().status() == 200;
        assert_eq!(accepts, name == "tranquil", "{name}");
    }
    let mut raw = Raw::new(Habits::tranquil());
    raw.learn_nonce();
    raw.sandbox.advance(Duration::from_secs(300));
    assert_eq!(raw.revoke().status(), 200);
    raw.sandbox.advance(Duration::from_secs(1));
    let refused = raw.revoke();
    assert_eq!(refused.text("error"), "use_dpop_nonce");
    raw.nonce = refused.header("dpop-nonce");
    assert_eq!(raw.revoke().status(), 200);
}

#[test]
fn a_nonce_that_was_not_handed_out_has_the_error_of_its_server() {
    for (name, habits) in all() {
        let mut raw = Raw::new(habits);
        for nonce in ["unknown", "1767225600.unknown"] {
            raw.nonce = Some(nonce.to_owned());
            let expected = match name {
                "tranquil" => (401, "invalid_dpop_proof".to_owned(), true),
                _ => (400, "use_dpop_nonce".to_owned(), false),
            };
            assert_eq!(raw.revoke().form(), expected, "{name} {nonce}");
        }
    }
}

#[test]
fn tranquil_takes_the_code_before_it_looks_at_the_nonce() {
    for (name, habits) in all() {
        let mut raw = Raw::new(habits);
        raw.learn_nonce();
        let old = raw.nonce.clone();
        raw.sandbox.advance(Duration::from_secs(200));
        let code = raw.code();
        raw.sandbox.advance(Duration::from_secs(150));
        raw.nonce = old;
        let refused = raw.exchange(&code);
        assert_eq!(refused.text("error"), "use_dpop_nonce", "{name}");
        raw.nonce = refused.header("dpop-nonce");
        let expected = if name == "tranquil" { 400 } else { 200 };
        assert_eq!(raw.exchange(&code).status(), expected, "{name}");
    }
    // A server that requires nonces asks for a missing one before it takes the code.
    let mut habits = Habits::tranquil();
    let mut missing = |accepts_missing_nonce| {
        habits.accepts_missing_nonce = accepts_missing_nonce;
        let mut raw = Raw::new(habits.clone());
        let code = raw.code();
        raw.nonce = None;
        let first = raw.exchange(&code);
        raw.nonce = first.header("dpop-nonce");
        (first.status(), raw.exchange(&code).status())
    };
    assert_eq!(missing(false), (400, 200));
    assert_eq!(missing(true), (200, 400), "the second exchange replays the code");
}

#[test]
fn cirrus_and_ezpds_leave_out_the_nonce_of_successes() {
    for (name, habits) in all() {
        let mut raw = Raw::new(habits.clone());
        raw.learn_nonce();
        let pushed = raw.push(CALLBACK);
        assert_eq!(pushed.status(), 201, "{name}");
        let revoked = raw.revoke();
        assert_eq!(revoked.status(), 200, "{name}");
        let client = loopback();
        raw.sandbox.set_habits(raw.pds, Habits::reference());
        let session = log_in(&mut raw.sandbox, &client, ALICE);
        raw.sandbox.set_habits(raw.pds, habits);
        raw.learn_nonce();
        let head = (Method::GET, "/xrpc/com.atproto.server.getSession");
        let token = session.access_token().expose();
        let called = raw.send(session.dpop_key(), head, token, String::new());
        assert_eq!(called.status(), 200, "{name}");
        let has_nonce = [pushed, revoked, called].map(|a| a.header("dpop-nonce").is_some());
        let expected = match name {
            "cirrus" => [false; 3],
            "ezpds" => [false, true, true],
            _ => [true; 3],
        };
        assert_eq!(has_nonce, expected, "{name}");
    }
}

#[test]
fn a_dead_refresh_token_has_the_error_of_its_server() {
    for (name, habits) in all() {
        let mut raw = Raw::new(habits);
        raw.learn_nonce();
        let refused = raw.refresh();
        let error = match name {
            "cocoon" => "Refresh token expired",
            "pegasus" => "InvalidRequest",
            _ => "invalid_grant",
        };
        assert_eq!(refused.form(), (400, error.to_owned(), false), "{name}");
        let reason = "Invalid refresh token";
        let (description, message) = match name {
            "cocoon" => ("", ""),
            "pegasus" => ("", reason),
            _ => (reason, ""),
        };
        assert_eq!(refused.text("error_description"), description, "{name}");
        assert_eq!(refused.text("message"), message, "{name}");
    }
}

#[test]
fn an_expired_access_token_has_the_error_of_its_server() {
    for (name, habits) in all() {
        let mut raw = Raw::new(Habits::reference());
        let session = log_in(&mut raw.sandbox, &loopback(), ALICE);
        raw.sandbox.set_habits(raw.pds, habits);
        raw.sandbox.advance(Duration::from_secs(3601));
        raw.learn_nonce();
        let head = (Method::GET, "/xrpc/com.atproto.server.getSession");
        let token = session.access_token().expose();
        let refused = raw.send(session.dpop_key(), head, token, String::new());
        let (status, error, challenge) = match name {
            "ezpds" => (401, "ExpiredToken", false),
            "pegasus" => (400, "ExpiredToken", false),
            _ => (401, "invalid_token", true),
        };
        assert_eq!(refused.form(), (status, error.to_owned(), challenge), "{name}");
        assert_eq!(refused.text("message"), "The access token has expired", "{name}");
    }
}

#[test]
fn an_unknown_access_token_has_the_error_of_its_server() {
    for (name, habits) in all() {
        let mut raw = Raw::new(habits);
        raw.learn_nonce();
        let key = raw.key.clone();
        let head = (Method::GET, "/xrpc/com.atproto.server.getSession");
        let refused = raw.send(&key, head, "unknown", String::new());
        let (status, error, challenge) = match name {
            "cocoon" => (400, "InvalidToken", false),
            _ => (401, "invalid_token", true),
        };
        assert_eq!(refused.form(), (status, error.to_owned(), challenge), "{name}");
    }
}

#[test]
fn cirrus_compares_the_port_of_a_loopback_redirect_uri() {
    for (name, habits) in all() {
        let mut raw = Raw::new(habits);
        raw.learn_nonce();
        let with_port = raw.push("http://127.0.0.1:7777/callback").status();
        assert_eq!(with_port, if name == "cirrus" { 400 } else { 201 }, "{name}");
        raw.learn_nonce();
        assert_eq!(raw.push(CALLBACK).status(), 201, "{name}");
    }
}

#[test]
fn pegasus_refuses_loopback_clients() {
    let mut raw = Raw::new(Habits::pegasus());
    raw.learn_nonce();
    let refused = raw.push(CALLBACK);
    assert_eq!(refused.text("error"), "invalid_client_metadata");
    assert!(refused.text("message").starts_with("Unable to get http://localhost?"));
}

#[test]
fn tranquil_refuses_transitional_scopes_beside_granular_ones() {
    for (name, habits) in all() {
        let mut raw = Raw::new(habits);
        raw.learn_nonce();
        raw.scope = "atproto repo:com.example.note transition:generic";
        let mixed = raw.push(CALLBACK);
        let expected = if name == "tranquil" { "invalid_scope" } else { "" };
        assert_eq!(mixed.text("error"), expected, "{name}");
        for scope in ["atproto transition:generic", "atproto repo:com.example.note"] {
            raw.learn_nonce();
            raw.scope = scope;
            assert_eq!(raw.push(CALLBACK).status(), 201, "{name} {scope}");
        }
    }
}

#[test]
fn each_habit_can_be_chosen_alone() {
    let mut habits = Habits::reference();
    habits.nonce_on_success = NonceOnSuccess::Never;
    habits.reason = ReasonMember::Message;
    habits.dead_refresh_token = ErrorForm { status: 418, error: "Gone", challenge: true };
    let mut raw = Raw::new(habits);
    raw.learn_nonce();
    assert_eq!(raw.revoke().header("dpop-nonce"), None);
    let refused = raw.refresh();
    assert_eq!(refused.form(), (418, "Gone".to_owned(), true));
    assert_eq!(refused.text("message"), "Invalid refresh token");
}

#[test]
fn a_server_without_nonces_ignores_an_old_one() {
    // Otherwise it would demand a nonce, and hand out none.
    let mut raw = Raw::new(Habits::reference());
    raw.learn_nonce();
    raw.sandbox.require_nonces(raw.pds, false);
    let answer = raw.revoke();
    assert_eq!((answer.status(), answer.header("dpop-nonce")), (200, None));
}

#[test]
fn a_login_at_tranquil_survives_a_user_who_takes_six_minutes() {
    // The nonce of the pushed request is too old then, and a stale nonce costs the code.
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let pds = server(&sandbox, &sandbox.names().pds);
    sandbox.set_habits(pds, Habits::tranquil());
    let begun = begin(&mut sandbox, &client, ALICE);
    let mut browser = Browser::default();
    sandbox.advance(Duration::from_secs(200));
    assert_eq!(sandbox.open(&mut browser, &begun.url), Err(NoRedirect::Waiting));
    sandbox.advance(Duration::from_secs(160));
    let back = sandbox.consent(&mut browser, &begun.url, Consent::of(ALICE)).unwrap();
    let params = CallbackParams::parse(&back).unwrap();
    let _ = sandbox.run(client.callback(begun.pending, params)).unwrap();
}

#[test]
fn a_server_that_forgot_its_nonces_gets_one_of_the_new_ones() {
    // Tranquil calls a nonce that it does not know an invalid proof.
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let pds = server(&sandbox, &sandbox.names().pds);
    let session = log_in(&mut sandbox, &client, ALICE);
    sandbox.set_habits(pds, Habits::tranquil());
    sandbox.fault(Fault::reset_nonces());
    let refreshed = sandbox.run(client.refresh(session)).unwrap();
    assert!(refreshed.session.can_refresh());
}
