//! Builds XRPC requests, and parses XRPC responses.
//!
//! The functions build a request whose URL is a path. [`Client::request`](crate::Client::request)
//! sends it to the account's PDS. A request for another service, such as an AppView, is sent to the
//! PDS, too, which forwards it: see [`with_proxy`].
//!
//! atproto «HTTP API (XRPC)».

use std::fmt;
use std::time::Duration;

use atproto_identity::Did;
use atproto_sansio::{Body, printable, retry_after};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::error::{InputError, colon};
use crate::json as strict_json;

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
    /// Scope that the session lacks, if the server names it in a response with status 403. Begin a
    /// login that requests this scope.
    pub needed_scope: Option<String>,
    /// Time to wait before a retry, from the `Retry-After` header.
    pub retry_after: Option<Duration>,
}

/// Builds a query: `GET /xrpc/<nsid>?<params>`. For an array, repeat the parameter name with each
/// element.
///
/// ```
/// use atproto_oauth_core::xrpc;
///
/// let request = xrpc::query("com.atproto.repo.listRecords", &[("repo", "did:web:a.example")])?;
/// assert_eq!(request.uri(), "/xrpc/com.atproto.repo.listRecords?repo=did%3Aweb%3Aa.example");
/// assert!(xrpc::query("com.atproto.server.getSession", &[]).is_ok());
/// # Ok::<(), atproto_oauth_core::InputError>(())
/// ```
///
/// # Errors
///
/// [`InputError::Nsid`] if `nsid` is not an NSID.
pub fn query(nsid: &str, params: &[(&str, &str)]) -> Result<Request<Body>, InputError> {
    build(
        Request::get(path(nsid, params)?).header(header::ACCEPT, "application/json"),
        Bytes::new(),
    )
}

/// Builds a procedure: `POST /xrpc/<nsid>?<params>` with `input` as its JSON body. Few procedures
/// have parameters in addition to their input; for all others `params` is empty.
///
/// ```
/// use atproto_oauth_core::xrpc;
///
/// let input = std::collections::BTreeMap::from([("collection", "app.bsky.feed.post")]);
/// let request = xrpc::procedure("com.atproto.repo.createRecord", &[], &input)?;
/// assert_eq!(request.uri(), "/xrpc/com.atproto.repo.createRecord");
/// # Ok::<(), atproto_oauth_core::InputError>(())
/// ```
///
/// # Errors
///
/// [`InputError::Nsid`] if `nsid` is not an NSID, [`InputError::Request`] if `input` cannot be
/// written as JSON.
pub fn procedure(
    nsid: &str,
    params: &[(&str, &str)],
    input: &impl Serialize,
) -> Result<Request<Body>, InputError> {
    let body = serde_json::to_vec(input)
        .map_err(|_| InputError::Request("its input can't be serialized as JSON"))?;
    blob(nsid, params, "application/json", body)
}

/// Builds a procedure whose body is bytes of any content type, such as
/// `com.atproto.repo.uploadBlob`: `POST /xrpc/<nsid>?<params>`.
///
/// # Errors
///
/// [`InputError::Nsid`] if `nsid` is not an NSID, [`InputError::Request`] if `content_type` has
/// characters that a header can't have.
pub fn blob(
    nsid: &str,
    params: &[(&str, &str)],
    content_type: &str,
    body: impl Into<Bytes>,
) -> Result<Request<Body>, InputError> {
    let request = Request::post(path(nsid, params)?)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, content_type);
    build(request, body.into())
}

/// Builds a procedure whose body the driver streams ([`Body::Attached`]): for large uploads, which
/// are not held in memory. A streamed body can be sent only once, so a retry needs a new body:
/// see [`is_nonce_refused`].
///
/// # Errors
///
/// [`InputError::Nsid`] if `nsid` is not an NSID, [`InputError::Request`] if `content_type` has
/// characters that a header can't have.
pub fn upload(
    nsid: &str,
    params: &[(&str, &str)],
    content_type: &str,
) -> Result<Request<Body>, InputError> {
    let mut request = blob(nsid, params, content_type, Bytes::new())?;
    *request.body_mut() = Body::Attached;
    Ok(request)
}

/// Sets the `atproto-proxy` header, so that the PDS forwards the request to `service`: a DID, `#`
/// and the id of a service in its DID document, such as `did:web:api.bsky.app#bsky_appview`.
///
/// # Errors
///
/// [`InputError::Service`] if `service` does not have this form.
pub fn with_proxy(mut request: Request<Body>, service: &str) -> Result<Request<Body>, InputError> {
    let refused = || InputError::Service(printable(service));
    let (did, fragment) = service.split_once('#').ok_or_else(refused)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    if fragment.is_empty() || !fragment.bytes().all(fits) || did.parse::<Did>().is_err() {
        return Err(refused());
    }
    let value = HeaderValue::from_str(service).map_err(|_| refused())?;
    request.headers_mut().insert(HeaderName::from_static("atproto-proxy"), value);
    Ok(request)
}

/// Parses the JSON of a successful response.
///
/// # Errors
///
/// An [`XrpcError`] with the status of the response: an error status, or 2xx if the body is not the
/// JSON that `T` requires.
pub fn json<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T, XrpcError> {
    check(response)?;
    serde_json::from_slice(response.body()).map_err(|error| XrpcError {
        status: response.status(),
        error: None,
        message: Some(format!("the response is not the expected JSON (line {})", error.line())),
        needed_scope: None,
        retry_after: None,
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
        error: Option<Value>,
        message: Option<Value>,
    }

    if response.status().is_success() {
        return Ok(());
    }
    let document: Option<Document> = strict_json::object(response.body()).ok();
    let (error, message) = document.map_or((None, None), |d| (d.error, d.message));
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let (error, message) = (text(&error), text(&message));
    Err(XrpcError {
        status: response.status(),
        needed_scope: needed_scope(response, error.as_deref(), message.as_deref()),
        error: error.map(printable),
        message: message.map(printable),
        retry_after: retry_after(response.headers()),
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

/// Whether the PDS rejected the access token (401 with `invalid_token`): refresh the session, and
/// send the request again.
///
/// False if a scope is missing, and if the PDS requires another nonce.
pub fn is_token_refused(response: &Response<Bytes>) -> bool {
    response.status() == StatusCode::UNAUTHORIZED
        && atproto_dpop::challenges(response.headers()).iter().any(|challenge| {
            matches!(challenge.scheme.as_str(), "dpop" | "bearer")
                && challenge.param("error") == Some("invalid_token")
        })
}

/// Whether the PDS rejected only the nonce of the DPoP proof (401 with `use_dpop_nonce`) and did
/// not process the request. Send an [`upload`] again, with a new body; other requests are repeated
/// automatically.
pub fn is_nonce_refused(response: &Response<Bytes>) -> bool {
    response.status() == StatusCode::UNAUTHORIZED
        && atproto_dpop::challenges(response.headers()).iter().any(|challenge| {
            challenge.scheme == "dpop" && challenge.param("error") == Some("use_dpop_nonce")
        })
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
        write!(f, "the server answered {}{error}{message}{}", self.status, self.hint())
    }
}

impl std::error::Error for XrpcError {}

impl XrpcError {
    /// Whether a retry may succeed: the status is 429 or 5xx.
    pub fn is_transient(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS
    }
}

fn build(request: http::request::Builder, body: Bytes) -> Result<Request<Body>, InputError> {
    request
        .body(Body::Bytes(body))
        .map_err(|_| InputError::Request("its content type can't stand in a header"))
}

fn path(nsid: &str, params: &[(&str, &str)]) -> Result<String, InputError> {
    if !is_nsid(nsid) {
        return Err(InputError::Nsid(printable(nsid)));
    }
    if params.is_empty() {
        return Ok(format!("/xrpc/{nsid}"));
    }
    let query = Serializer::new(String::new()).extend_pairs(params).finish();
    Ok(format!("/xrpc/{nsid}?{query}"))
}

/// Checks the syntax of an NSID (atproto «Namespaced Identifiers (NSIDs)»).
fn is_nsid(text: &str) -> bool {
    let Some((authority, name)) = text.rsplit_once('.') else { return false };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let begins_with_letter = |text: &str| text.starts_with(|char: char| char.is_ascii_alphabetic());
    text.len() <= 317
        && authority.len() <= 253
        && authority.contains('.')
        && authority.split('.').all(label)
        && begins_with_letter(authority)
        && (1..=63).contains(&name.len())
        && begins_with_letter(name)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_nsid_is_an_authority_and_a_name() {
        // Rule I-26
        let long = format!("com.{}.x", "a".repeat(63));
        for text in ["com.atproto.server.getSession", "a.b.c", "a-b.c1.dE2", &long] {
            assert!(is_nsid(text), "{text}");
        }
        let longer = format!("com.{}.x", "a".repeat(64));
        for text in [
            "",
            "a",
            "a.b",
            "a.b.",
            ".a.b.c",
            "a..b.c",
            "1a.b.c",
            "-a.b.c",
            "a-.b.c",
            "a.b.1c",
            "a.b.c-d",
            "a.b.c_d",
            "a.b.c/d",
            "a.b.c?d",
            "a.b.c#d",
            "../a.b.c",
            "a.b.\u{e9}",
            &longer,
        ] {
            assert!(!is_nsid(text), "{text}");
            assert!(query(text, &[("a", "b")]).is_err(), "{text}");
        }
    }

    #[test]
    fn parameters_are_encoded_and_may_be_repeated() {
        // Rule H-19
        let params = [("uris", "at://a/b?c"), ("uris", "x y+z"), ("limit", "5")];
        let request = query("a.b.c", &params).unwrap();
        let expected = "/xrpc/a.b.c?uris=at%3A%2F%2Fa%2Fb%3Fc&uris=x+y%2Bz&limit=5";
        assert_eq!(request.uri(), expected);
        assert_eq!(query("a.b.c", &[]).unwrap().uri(), "/xrpc/a.b.c");
        for request in [
            procedure("a.b.c", &params, &()),
            blob("a.b.c", &params, "image/png", Bytes::new()),
            upload("a.b.c", &params, "video/mp4"),
        ] {
            assert_eq!(request.unwrap().uri(), expected);
        }
    }

    #[test]
    fn a_service_is_a_did_and_a_fragment() {
        // Rule H-14
        let request = || query("a.b.c", &[]).unwrap();
        let proxied = with_proxy(request(), "did:web:api.bsky.app#bsky_appview").unwrap();
        assert_eq!(proxied.headers()["atproto-proxy"], "did:web:api.bsky.app#bsky_appview");
        for service in [
            "did:web:api.bsky.app",
            "#x",
            "did:web:api.bsky.app#",
            "did:web:a.b#c#d",
            "x#y",
            "did:web:a.b#c d",
            "did:web:a.b #c",
            "did:web:a.b#c\r\nx: y",
        ] {
            assert!(with_proxy(request(), service).is_err(), "{service}");
        }
    }

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
    fn an_error_of_a_server_that_is_not_the_pds_names_the_way_out() {
        // Rule H-16
        let body = r#"{"error":"InvalidToken",
            "message":"OAuth tokens are meant for PDS access only"}"#;
        let response = Response::builder().status(400).body(Bytes::from_static(body.as_bytes()));
        let error = check(&response.unwrap()).unwrap_err();
        assert!(error.to_string().contains("ask the account's own PDS"), "{error}");
    }
}
