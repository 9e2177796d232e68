//! Helpers for the requests of this crate.
//!
//! All requests are plain `GET` requests for public data: no cookies, no credentials, no referrer.

use atproto_sansio::{Body, Phase, Reach, Rule, TransportError, printable, retry_after};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use url::Url;

use crate::error::IdentityError;
use crate::freshness::Freshness;

/// Builds the request `GET <url>` with the header `Accept: <accept>`. A fresh request asks proxies
/// and content delivery networks for a fresh reply, too.
pub(crate) fn get(
    url: &str,
    accept: &'static str,
    freshness: Freshness,
) -> Result<Request<Body>, IdentityError> {
    let request = Request::get(url).header(header::ACCEPT, accept);
    let request = match freshness {
        Freshness::Fresh => request.header(header::CACHE_CONTROL, "no-cache"),
        Freshness::Cached => request,
    };
    request
        .body(Body::default())
        // The error does not print the URL, because the URL of a configured service may hold a key.
        .map_err(|error| TransportError::new(Phase::NotSent, error.to_string()).into())
}

/// Returns the error for a status other than that of a document: 404 and 410 say that there is none
/// at `from`, any other status leaves the question open.
pub(crate) fn unexpected(from: String, response: &Response<Bytes>) -> IdentityError {
    match response.status() {
        status @ (StatusCode::NOT_FOUND | StatusCode::GONE) => {
            IdentityError::NotFound { at: from, status: Some(status) }
        }
        _ => status(from, response),
    }
}

/// Returns the error for a status that the specification does not define for the request to `from`.
pub(crate) fn status(from: String, response: &Response<Bytes>) -> IdentityError {
    let retry_after = retry_after(response.headers());
    IdentityError::Status { from, status: response.status(), retry_after }
}

/// Host, port and path of a URL for error messages. User name and query are left out, because they
/// may hold a key.
pub(crate) fn place(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    printable(format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path()))
}

/// Returns the rule of the network policy that forbids the host of `url`, whatever its scheme and
/// port are.
pub(crate) fn forbidden_host(url: &Url, development: bool) -> Option<Rule> {
    let uri = format!("https://{}/", url.host_str()?).parse().ok()?;
    Reach::untrusted(development).check(&uri).err()
}

pub(crate) fn malformed(from: &str, reason: impl ToString) -> IdentityError {
    // The reason of a parser quotes the untrusted input, so it is cleaned.
    IdentityError::Malformed { from: from.to_owned(), reason: printable(reason.to_string()) }
}
