//! XRPC requests and responses.
//!
//! The functions of this file build a request whose URL is a path.
//! [`Client::request`](crate::Client::request) sends it to the account's PDS. A request for another
//! service, such as an AppView, is sent to the PDS, too, which forwards it: see [`with_proxy`].
//!
//! atproto «HTTP API (XRPC)».

mod nsid;
mod response;
mod service;

use atproto_sansio::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use serde::Serialize;
use url::form_urlencoded::Serializer;

pub use self::nsid::Nsid;
pub(crate) use self::response::SentToken;
pub use self::response::{XrpcError, check, is_nonce_refused, is_token_refused, json};
pub use self::service::Service;
use crate::error::InputError;
use crate::origin::shown;

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
    let service = Service::parse(service)?;
    let value = HeaderValue::from_str(service.as_str())
        .map_err(|_| InputError::Service(shown(service.as_str())))?;
    request.headers_mut().insert(HeaderName::from_static("atproto-proxy"), value);
    Ok(request)
}

fn build(request: http::request::Builder, body: Bytes) -> Result<Request<Body>, InputError> {
    request
        .body(Body::Bytes(body))
        .map_err(|_| InputError::Request("its content type can't stand in a header"))
}

fn path(nsid: &str, params: &[(&str, &str)]) -> Result<String, InputError> {
    let nsid = Nsid::parse(nsid)?;
    if params.is_empty() {
        return Ok(format!("/xrpc/{nsid}"));
    }
    let query = Serializer::new(String::new()).extend_pairs(params).finish();
    Ok(format!("/xrpc/{nsid}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
