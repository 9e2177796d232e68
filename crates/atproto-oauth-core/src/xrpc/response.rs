//! The meaning of an XRPC response: JSON, an error, a refused access token.
//!
//! atproto «HTTP API (XRPC)»; RFC 6750 section 3.1; RFC 9449 section 7.1.

use std::fmt;
use std::time::Duration;

use atproto_dpop::{AccessToken, ClockOffset};
use atproto_sansio::{is_transient, json_text_within, retry_after};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::endpoints::refusal::{clock, shown};
use crate::error::colon;
use crate::json::{Member, error_object};

/// An error response to an XRPC request, or a successful response with unexpected JSON.
///
/// `error`, `message` and `needed_scope` are untrusted text of the server. A user interface must
/// escape them.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct XrpcError {
    /// HTTP status of the response.
    pub status: StatusCode,
    /// Error name, such as `InvalidRequest`; `None` if the body is not an XRPC error, for example
    /// because a gateway sent it.
    pub error: Option<String>,
    /// Description of the error; shortened if the server wrote it.
    pub message: Option<String>,
    /// Scope that the session lacks, if the server names it in a response with status 403, in at most
    /// 200 characters. Begin a login that requests this scope.
    pub needed_scope: Option<String>,
    /// Time to wait before a retry, from the `Retry-After` header.
    pub retry_after: Option<Duration>,
    /// Seconds by which the server's clock is ahead of the local clock (negative if it is behind), if
    /// the difference is more than five seconds. It may be the reason of the error.
    pub clock_offset: Option<i64>,
}

/// The access token of a request, in the extensions of its response: an error text does not repeat
/// it.
#[derive(Clone)]
pub(crate) struct SentToken(pub(crate) AccessToken);

/// Parses the JSON of a successful response.
///
/// # Errors
///
/// An [`XrpcError`] with the status of the response: an error status, or 2xx if the body is not the
/// JSON that `T` requires.
pub fn json<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T, XrpcError> {
    check(response)?;
    let parsed = json_text_within(response.body(), MAX_DEPTH).and_then(|text| {
        serde_json::from_str(text).map_err(|error| {
            format!("the response is not the expected JSON (line {})", error.line())
        })
    });
    parsed.map_err(|message| XrpcError {
        status: response.status(),
        error: None,
        message: Some(message),
        needed_scope: None,
        retry_after: None,
        clock_offset: None,
    })
}

/// Rejects a response whose status is not 2xx.
///
/// # Errors
///
/// The [`XrpcError`] that the response describes.
pub fn check(response: &Response<Bytes>) -> Result<(), XrpcError> {
    #[derive(Deserialize)]
    struct Document {
        error: Option<Member>,
        message: Option<Member>,
        error_description: Option<Member>,
    }

    if response.status().is_success() {
        return Ok(());
    }
    let document: Option<Document> = error_object(response.body());
    let sent = response.extensions().get().map(|SentToken(token)| token.expose());
    let secrets: Vec<&str> = sent.into_iter().collect();
    let text = |member: fn(&Document) -> &Option<Member>| {
        Some(member(document.as_ref()?).as_ref()?.as_str()?.to_owned())
    };
    let error = text(|document| &document.error);
    let message =
        text(|document| &document.message).or_else(|| text(|document| &document.error_description));
    let needed_scope = needed_scope(response, error.as_deref(), message.as_deref());
    let shown = |text: String| shown(&text, &secrets);
    Err(XrpcError {
        status: response.status(),
        needed_scope: needed_scope.filter(|scope| is_shown_whole(scope, &secrets)),
        error: error.map(shown),
        message: message.map(shown),
        retry_after: retry_after(response.headers()),
        clock_offset: response.extensions().get().map(|offset: &ClockOffset| offset.seconds()),
    })
}

/// Returns the scope that a response with status 403 names as missing: the `scope` parameter of its
/// challenge (RFC 6750 section 3.1), or the quoted part of the reference implementation's message.
fn needed_scope(
    response: &Response<Bytes>,
    error: Option<&str>,
    message: Option<&str>,
) -> Option<String> {
    if response.status() != StatusCode::FORBIDDEN {
        return None;
    }
    let challenges = atproto_dpop::challenges(response.headers());
    let challenge = challenges.iter().find(|c| c.param("error") == Some("insufficient_scope"));
    let of_challenge = challenge.and_then(|challenge| challenge.param("scope")).map(str::to_owned);
    of_challenge.or_else(|| {
        let message = message.filter(|_| error == Some("ScopeMissingError"))?;
        let (_, rest) = message.split_once('"')?;
        let (scope, _) = rest.rsplit_once('"')?;
        Some(scope.to_owned())
    })
}

/// Whether the PDS rejected the access token: refresh the session, and send the request again.
///
/// The PDS says so with status 401 and a challenge with `invalid_token`, or with the XRPC error
/// `ExpiredToken` and status 400 or 401. The result is false if a scope is missing, and if the PDS
/// requires another nonce: such a response says nothing about the token.
pub fn is_token_refused(response: &Response<Bytes>) -> bool {
    let is_401 = response.status() == StatusCode::UNAUTHORIZED;
    // The body of a success is not parsed.
    if !is_401 && response.status() != StatusCode::BAD_REQUEST || demands_nonce(response) {
        return false;
    }
    (is_401 && has_challenge(response, &["dpop", "bearer"], "invalid_token"))
        || error_name(response).as_deref() == Some("ExpiredToken")
}

/// Whether the PDS rejected only the nonce of the DPoP proof (401 with `use_dpop_nonce`) and did
/// not process the request. Send an [`upload`](crate::xrpc::upload) again, with a new body; other
/// requests are repeated automatically.
pub fn is_nonce_refused(response: &Response<Bytes>) -> bool {
    response.status() == StatusCode::UNAUTHORIZED && demands_nonce(response)
}

fn demands_nonce(response: &Response<Bytes>) -> bool {
    has_challenge(response, &["dpop"], "use_dpop_nonce")
        || error_name(response).as_deref() == Some("use_dpop_nonce")
}

fn has_challenge(response: &Response<Bytes>, schemes: &[&str], error: &str) -> bool {
    atproto_dpop::challenges(response.headers()).iter().any(|challenge| {
        schemes.contains(&challenge.scheme.as_str()) && challenge.param("error") == Some(error)
    })
}

/// The `error` of an XRPC error response.
fn error_name(response: &Response<Bytes>) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        error: Member,
    }

    let Named { error } = error_object(response.body())?;
    error.as_str().map(str::to_owned)
}

/// Whether `scope` has only the characters of a scope (RFC 6749 section 3.3), is short, and repeats
/// no secret. A scope that is cut or changed would be another one.
fn is_shown_whole(scope: &str, secrets: &[&str]) -> bool {
    let is_of_scope = |byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    scope.bytes().all(is_of_scope) && shown(scope, secrets) == scope
}

impl XrpcError {
    fn hint(&self) -> &'static str {
        let message = self.message.as_deref().unwrap_or_default();
        if message.contains("OAuth tokens are meant for PDS access only") {
            return " (ask the account's own PDS, which forwards requests; not the AppView or the \
                    entryway)";
        }
        ""
    }
}

impl fmt::Display for XrpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (error, message) = (colon(self.error.as_deref()), colon(self.message.as_deref()));
        let (hint, clock) = (self.hint(), clock(self.clock_offset));
        write!(f, "the server answered {}{error}{message}{hint}{clock}", self.status)
    }
}

impl std::error::Error for XrpcError {}

/// A long thread of posts is deeper than any document of the protocol. Serde stops at this depth,
/// too.
const MAX_DEPTH: usize = 128;

impl XrpcError {
    /// Whether a retry may succeed: the status is 408, 429 or 5xx.
    pub fn is_transient(&self) -> bool {
        is_transient(self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_token_is_told_from_other_refusals() {
        // Rules G-05, H-05, H-08
        let response = |status: u16, challenge: &str| {
            let builder = Response::builder().status(status);
            builder.header("www-authenticate", challenge).body(Bytes::new()).unwrap()
        };
        assert!(is_token_refused(&response(401, r#"DPoP error="invalid_token""#)));
        assert!(is_token_refused(&response(401, r#"Bearer error="invalid_token", DPoP algs="x""#)));
        assert!(!is_token_refused(&response(401, r#"DPoP error="use_dpop_nonce""#)));
        assert!(!is_token_refused(&response(401, r#"Basic error="invalid_token""#)));
        assert!(!is_token_refused(&response(403, r#"DPoP error="invalid_token""#)));
        assert!(!is_token_refused(&response(401, "DPoP")));
    }

    #[test]
    fn a_demand_for_a_nonce_says_nothing_about_the_token() {
        // Rule P-11
        let response = |status: u16, challenge: &str, body: &'static str| {
            let builder = Response::builder().status(status);
            builder.header("www-authenticate", challenge).body(Bytes::from(body)).unwrap()
        };
        let both = r#"Bearer error="invalid_token", DPoP error="use_dpop_nonce""#;
        assert!(!is_token_refused(&response(401, both, "")));
        assert!(is_nonce_refused(&response(401, both, "")));
        let in_body = r#"{"error":"use_dpop_nonce"}"#;
        assert!(!is_token_refused(&response(401, r#"DPoP error="invalid_token""#, in_body)));
    }

    #[test]
    fn an_expired_token_may_be_named_in_the_body_alone() {
        // Rule P-11
        let response = |status: u16, body: &'static str| {
            Response::builder().status(status).body(Bytes::from(body)).unwrap()
        };
        for status in [400, 401] {
            assert!(is_token_refused(&response(status, r#"{"error":"ExpiredToken"}"#)), "{status}");
            // The reference PDS means tokens of another kind or for another server by `InvalidToken`.
            for other in [r#"{"error":"InvalidRequest"}"#, r#"{"error":"InvalidToken"}"#] {
                assert!(!is_token_refused(&response(status, other)), "{status}: {other}");
            }
        }
        assert!(!is_token_refused(&response(403, r#"{"error":"ExpiredToken"}"#)));
        assert!(!is_token_refused(&response(401, "")));
    }

    #[test]
    fn texts_of_a_server_are_cut_and_repeat_no_token() {
        // Rule M-03
        let mut response = Response::builder().status(403).body(Bytes::new()).unwrap();
        response.extensions_mut().insert(SentToken(AccessToken::new("t0ken").unwrap()));
        for scope in ["a\\u001bb", "a:t0ken", "\u{e9}", &"x".repeat(100_000)] {
            let message = format!(r#"Missing \"{scope}\" t0ken"#);
            let body = format!(r#"{{"error":"ScopeMissingError","message":"{message}"}}"#);
            *response.body_mut() = Bytes::from(body);
            let error = check(&response).unwrap_err();
            assert_eq!(error.needed_scope, None, "{scope:.20}");
            let message = error.message.unwrap();
            assert!(message.chars().count() <= 201 && !message.contains("t0ken"), "{message}");
        }
        let body = r#"{"error":"x","message":"the token t0ken is unknown"}"#;
        *response.body_mut() = Bytes::from(body);
        let error = check(&response).unwrap_err();
        assert_eq!(error.message.as_deref(), Some("the token (secret) is unknown"));
    }

    #[test]
    fn errors_are_read_if_they_can_be() {
        // Rule H-18
        let response = |body: &'static str| {
            Response::builder().status(403).body(Bytes::from_static(body.as_bytes())).unwrap()
        };
        let missing = r#"{"error":"ScopeMissingError",
            "message":"Missing required scope \"repo:a.b.c?action=create\""}"#;
        let error = check(&response(missing)).unwrap_err();
        assert_eq!(error.needed_scope.as_deref(), Some("repo:a.b.c?action=create"));
        for body in ["", "<html>", "[]", r#"{"error":7}"#] {
            let error = check(&response(body)).unwrap_err();
            assert_eq!((error.error, error.status.as_u16()), (None, 403), "{body}");
        }
    }

    #[test]
    fn the_reason_of_an_error_may_be_an_error_description() {
        // Rule P-12
        let body = r#"{"error":"invalid_request","error_description":"no such thing"}"#;
        let response = Response::builder().status(400).body(Bytes::from_static(body.as_bytes()));
        let error = check(&response.unwrap()).unwrap_err();
        assert_eq!(error.message.as_deref(), Some("no such thing"));
    }

    #[test]
    fn an_error_of_a_server_that_is_not_the_pds_names_the_way_out() {
        // Rule H-16
        let body = r#"{"error":"InvalidToken",
            "message":"OAuth tokens are meant for PDS access only"}"#;
        let response = Response::builder().status(400).body(Bytes::from_static(body.as_bytes()));
        let error = check(&response.unwrap()).unwrap_err();
        assert!(error.to_string().contains("ask the account's own PDS"), "{error}");
    }

    #[test]
    fn the_json_of_a_response_has_a_bounded_depth_and_perhaps_a_byte_order_mark() {
        // Rules J-24, P-14
        #[derive(Deserialize)]
        struct Members {
            a: u8,
        }
        let a_of = |text: &str| {
            json::<Members>(&Response::new(Bytes::copy_from_slice(text.as_bytes()))).map(|m| m.a)
        };
        let nested =
            |depth: usize| format!(r#"{{"a":7,"b":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(a_of("\u{feff}{\"a\":7}").unwrap(), 7);
        assert_eq!(a_of(&nested(127)).unwrap(), 7);
        for depth in [128, 100_000] {
            let error = a_of(&nested(depth)).unwrap_err().to_string();
            assert!(error.contains("nested more than 128 deep"), "{error}");
        }
        let error = Response::builder().status(400);
        let error = error.body(Bytes::from_static(b"{\"error\":\"A\",\"message\":\"\xfc\"}"));
        assert_eq!(check(&error.unwrap()).unwrap_err().error.as_deref(), Some("A"));
    }
}
