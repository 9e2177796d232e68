//! How a call is answered: by the sandbox, by the sandbox with a change, or by no server at all.

use std::time::Duration;

use atproto_sansio::{Body, Call, HttpCall, Phase, Reply, Rule, TransportError, UnixTime};
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::engine::ledger::Kind;
use crate::engine::reader::Reader;
use crate::engine::world::{ALICE, World};

/// Values of headers, each with the headers that they are for.
const HEADERS: [(&str, &str); 10] = [
    ("dpop-nonce", "another-nonce"),
    ("dpop-nonce", "a nonce with a \" and a space"),
    ("date", "Thu, 01 Jan 2026 03:00:00 GMT"),
    ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("content-type", "text/html"),
    ("location", "https://127.0.0.1/"),
    ("location", "/elsewhere"),
    ("retry-after", "3600"),
    ("www-authenticate", "DPoP error=\"use_dpop_nonce\""),
    ("www-authenticate", "DPoP error=\"invalid_dpop_proof\""),
];

/// Bodies that end or repeat a request.
const BODIES: [&str; 12] = [
    r#"{"error":"use_dpop_nonce"}"#,
    r#"{"error":"invalid_dpop_proof"}"#,
    r#"{"error":"invalid_client"}"#,
    r#"{"error":"invalid_grant"}"#,
    r#"{"error":"unsupported_token_type"}"#,
    r#"{"error":"server_error"}"#,
    r#"{"error":"ExpiredToken","message":"x"}"#,
    r#"{"access_token":"made-up-access-token","token_type":"DPoP"}"#,
    r#"{"refresh_token":"made-up-refresh-token"}"#,
    r#"{"request_uri":"urn:x","expires_in":60}"#,
    "{}",
    "<html>",
];

/// Members of documents and responses that are worth a change.
const MEMBERS: [&str; 16] = [
    "/sub",
    "/scope",
    "/token_type",
    "/access_token",
    "/refresh_token",
    "/expires_in",
    "/issuer",
    "/resource",
    "/authorization_servers/0",
    "/token_endpoint",
    "/revocation_endpoint",
    "/pushed_authorization_request_endpoint",
    "/id",
    "/alsoKnownAs/0",
    "/service/0/serviceEndpoint",
    "/request_uri",
];

/// The fate of an outstanding call.
pub(crate) enum Fate {
    Answered(Reply),
    /// Time has passed, and the call is still outstanding.
    Outstanding(Box<Call>, UnixTime),
    /// The driver has dropped the call or its reply.
    Dropped,
}

impl World {
    /// Decides about a call that is outstanding since a time, as the input says.
    pub(crate) fn decide(&mut self, call: Call, since: UnixTime, input: &mut Reader<'_>) -> Fate {
        if self.sandbox.now().since(since) > timeout(&call) {
            let error = TransportError::new(Phase::TimedOut, "the driver did not come to it");
            return Fate::Answered(call.fail(error));
        }
        Fate::Answered(match input.below(32) {
            0..=9 => self.perform(call, input, false),
            10..=19 => self.perform(call, input, true),
            20 => call.fail(TransportError::new(Phase::NotSent, "a fault")),
            21 => call.fail(TransportError::blocked(Rule::because("a fault"))),
            22 => call.unsupported(),
            23 => {
                let phase = lost(input);
                call.fail(TransportError::new(phase, "lost on the way to the server"))
            }
            24 => {
                let phase = lost(input);
                self.perform_in_vain(call, TransportError::new(phase, "lost on the way back"))
            }
            25 => {
                self.sandbox.advance(Duration::from_secs(u64::from(input.byte())));
                return Fate::Outstanding(Box::new(call), since);
            }
            26 => {
                let server = self.servers[input.below(self.servers.len())];
                self.sandbox.reset_nonces(server);
                self.perform(call, input, false)
            }
            27 => {
                let server = self.servers[input.below(self.servers.len())];
                let by = Duration::from_secs(u64::from(input.number() % 3600));
                self.ledger.clocks_differ = true;
                match input.byte() % 2 {
                    0 => self.sandbox.set_server_clock_ahead(server, by),
                    _ => self.sandbox.set_server_clock_behind(server, by),
                }
                self.perform(call, input, false)
            }
            28 => {
                self.ledger.changed = true;
                let [pds, other, ..] = self.servers;
                let is_at_home = self.sandbox.server_of(ALICE) == Some(pds);
                match input.byte() % 2 {
                    0 => self.sandbox.migrate(ALICE, if is_at_home { other } else { pds }),
                    _ => self.sandbox.end_sessions(self.account),
                }
                self.perform(call, input, false)
            }
            29 => {
                drop(call);
                return Fate::Dropped;
            }
            30 => {
                let handed = self.ledger.handed;
                drop(self.perform(call, input, false));
                self.ledger.handed = handed;
                return Fate::Dropped;
            }
            _ => self.perform(call, input, false),
        })
    }

    /// The network performs the call. If `forge` is true, its answer is changed.
    fn perform(&mut self, call: Call, input: &mut Reader<'_>, forge: bool) -> Reply {
        match call {
            Call::Http(call) => self.exchange(call, input, forge),
            Call::Txt(call) if forge => {
                self.ledger.forged = true;
                let records = (0..input.below(4)).map(|_| self.record(input)).collect();
                call.respond.with(Ok(records))
            }
            Call::Sign(call) if forge => {
                self.ledger.forged = true;
                call.respond.with(Ok([input.byte(); 64]))
            }
            call => self.sandbox.respond_in(&mut self.process, call),
        }
    }

    /// The network performs the call, and its answer is lost.
    fn perform_in_vain(&mut self, call: Call, error: TransportError) -> Reply {
        if let Call::Http(HttpCall { request, .. }) = &call
            && let Body::Bytes(body) = request.body()
        {
            let _ = self.sandbox.exchange(request.clone().map(|_| body.clone()));
        }
        call.fail(error)
    }

    fn record(&self, input: &mut Reader<'_>) -> String {
        match input.below(4) {
            0 => format!("did={}", self.did(ALICE)),
            1 => "did=did:web:nobody.example.com".to_owned(),
            2 => "v=spf1".to_owned(),
            _ => format!("did={}", String::from_utf8_lossy(input.chunk())),
        }
    }

    fn exchange(&mut self, call: HttpCall, input: &mut Reader<'_>, forge: bool) -> Reply {
        let HttpCall { request, respond, .. } = call;
        let url = Url::parse(&request.uri().to_string()).expect("a request has a URL");
        let kind = Kind::of_request(&request);
        let Body::Bytes(body) = request.body().clone() else {
            return respond.with(Err(TransportError::new(Phase::Unsupported, "no streams here")));
        };
        let honest = self.sandbox.exchange(request.map(|_| body)).into_result();
        if !forge {
            if let Ok(response) = &honest {
                self.ledger.note(kind, &url, response);
                self.ledger.handed |= kind == Kind::Token && response.status() == StatusCode::OK;
            }
            return respond.with(honest);
        }
        let mut response = honest.clone().unwrap_or_else(|_| Response::new(Bytes::new()));
        let is_readable = self.forge(&mut response, input);
        self.ledger.note(kind, &url, &response);
        self.ledger.forged = true;
        match kind {
            Kind::Token => {
                self.ledger.forged_token = true;
                let both = [honest.as_ref().ok(), Some(&response)];
                let [was, is] = both.map(|response| response.and_then(tokens));
                self.ledger.handed |= is_readable && was.is_some() && was == is;
            }
            Kind::Revocation => self.ledger.forged_revocation = true,
            Kind::ServerMetadata => self.ledger.forged_metadata = true,
            Kind::Push | Kind::Resource | Kind::Other => {}
        }
        respond.with(Ok(response))
    }

    /// Changes a response. Returns whether it is surely still well-formed JSON within its limit.
    fn forge(&self, response: &mut Response<Bytes>, input: &mut Reader<'_>) -> bool {
        match input.below(9) {
            0 => *response.status_mut() = status(input),
            1 => {
                let (name, value) = HEADERS[input.below(HEADERS.len())];
                response.headers_mut().insert(name, HeaderValue::from_static(value));
                return true;
            }
            2 => {
                let (name, _) = HEADERS[input.below(HEADERS.len())];
                if let Ok(value) = HeaderValue::from_bytes(input.chunk()) {
                    response.headers_mut().append(HeaderName::from_static(name), value);
                }
                return true;
            }
            3 => {
                let (name, _) = HEADERS[input.below(HEADERS.len())];
                response.headers_mut().remove(name);
                return true;
            }
            4 => {
                let Ok(mut body) = serde_json::from_slice::<Value>(response.body()) else {
                    return false;
                };
                if let Some(member) = body.pointer_mut(input.of(&MEMBERS)) {
                    *member = self.value(input);
                }
                *response.body_mut() = Bytes::from(body.to_string());
                return true;
            }
            5 => {
                let mut body = response.body().to_vec();
                let at = usize::from(input.number()) % body.len().max(1);
                if let Some(byte) = body.get_mut(at) {
                    *byte ^= input.byte();
                }
                *response.body_mut() = body.into();
            }
            6 => {
                let length = usize::from(input.number()) % (response.body().len() + 1);
                response.body_mut().truncate(length);
            }
            7 => {
                let spaces = vec![b' '; usize::from(input.number()) * 8];
                *response.body_mut() = [response.body(), spaces.as_slice()].concat().into();
            }
            _ => {
                *response.status_mut() = status(input);
                let body = match input.below(BODIES.len() + 1) {
                    0 => input.chunk(),
                    at => BODIES[at - 1].as_bytes(),
                };
                *response.body_mut() = Bytes::copy_from_slice(body);
            }
        }
        false
    }

    fn value(&self, input: &mut Reader<'_>) -> Value {
        match input.below(12) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(-1),
            3 => json!(1e300),
            4 => json!([]),
            5 => json!(self.did("rita.example.com")),
            6 => json!("did:web:nobody.example.com"),
            7 => json!("https://evil.example.com/x"),
            8 => json!("https://pds.example.net"),
            9 => json!("https://127.0.0.1/"),
            10 => json!("atproto Bearer"),
            _ => json!(String::from_utf8_lossy(input.chunk())),
        }
    }
}

/// The time that a driver has for a call.
fn timeout(call: &Call) -> Duration {
    match call {
        Call::Http(call) => call.timeout,
        Call::Txt(call) => call.timeout,
        Call::Store(call) => call.timeout,
        Call::Shared(call) => call.timeout,
        Call::Sign(call) => call.timeout,
        Call::Sleep(_) | Call::Notify(_) => Duration::MAX,
    }
}

/// The phases in which the server may have acted.
fn lost(input: &mut Reader<'_>) -> Phase {
    match input.byte() % 4 {
        0 => Phase::MaybeSent,
        1 => Phase::Truncated,
        2 => Phase::TooLarge,
        _ => Phase::TimedOut,
    }
}

fn status(input: &mut Reader<'_>) -> StatusCode {
    let usual = [200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503];
    let number = match input.below(usual.len() + 1) {
        0 => 100 + input.number() % 500,
        at => usual[at - 1],
    };
    StatusCode::from_u16(number).expect("the number has three digits")
}

/// The tokens of a token response with status 200.
fn tokens(response: &Response<Bytes>) -> Option<[Option<Value>; 2]> {
    let body: Value = serde_json::from_slice(response.body()).ok()?;
    let tokens = ["access_token", "refresh_token"].map(|member| body.get(member).cloned());
    (response.status() == StatusCode::OK && tokens.iter().any(Option::is_some)).then_some(tokens)
}
