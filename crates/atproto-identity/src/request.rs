//! Helpers for the requests of this crate.
//!
//! All requests are plain `GET` requests for public data: no cookies, no credentials, no referrer.

use atproto_sansio::{Body, Phase, TransportError, printable, retry_after};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};

use crate::error::IdentityError;

/// Builds the request `GET <url>` with the header `Accept: <accept>`.
pub(crate) fn get(url: &str, accept: &'static str) -> Result<Request<Body>, IdentityError> {
    Request::get(url)
        .header(header::ACCEPT, accept)
        .body(Body::Bytes(Bytes::new()))
        // The error does not print the URL, because the URL of a configured service may hold a key.
        .map_err(|error| TransportError::new(Phase::NotSent, error.to_string()).into())
}

/// Returns the error for a status that the specification does not define for the request to `from`.
pub(crate) fn unexpected(from: &str, response: &Response<Bytes>) -> IdentityError {
    IdentityError::Status {
        from: printable(from),
        status: response.status(),
        retry_after: retry_after(response.headers()),
    }
}

/// Whether the server says that there is nothing at the URL: 404 or 410. Other error statuses leave
/// the question open.
pub(crate) fn is_absent(status: StatusCode) -> bool {
    status == StatusCode::NOT_FOUND || status == StatusCode::GONE
}

pub(crate) fn malformed(from: &str, reason: impl ToString) -> IdentityError {
    // The reason of a parser quotes the untrusted input, so it is cleaned.
    IdentityError::Malformed { from: from.to_owned(), reason: printable(reason.to_string()) }
}
