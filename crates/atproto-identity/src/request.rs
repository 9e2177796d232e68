//! What all requests of this crate have in common.
//!
//! They are plain `GET`s of public data: no cookies, no credentials, no referrer.

use atproto_sansio::{Body, Phase, TransportError, printable, retry_after};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};

use crate::error::IdentityError;

/// `GET url`
pub(crate) fn get(url: &str, accept: &'static str) -> Result<Request<Body>, IdentityError> {
    Request::get(url)
        .header(header::ACCEPT, accept)
        .body(Body::Bytes(Bytes::new()))
        // Without the URL: an operator's may hold a key.
        .map_err(|error| TransportError::new(Phase::NotSent, error.to_string()).into())
}

/// The error for a status that the specification does not know.
pub(crate) fn unexpected(from: &str, response: &Response<Bytes>) -> IdentityError {
    IdentityError::Status {
        from: printable(from),
        status: response.status(),
        retry_after: retry_after(response.headers()),
    }
}

/// Whether there is nothing, as opposed to a server that can't say.
pub(crate) fn is_absent(status: StatusCode) -> bool {
    status == StatusCode::NOT_FOUND || status == StatusCode::GONE
}

/// The body as text, or why it is none.
pub(crate) fn utf8<'a>(from: &str, body: &'a [u8]) -> Result<&'a str, IdentityError> {
    std::str::from_utf8(body).map_err(|_| malformed(from, "it is not UTF-8"))
}

pub(crate) fn malformed(from: &str, reason: impl ToString) -> IdentityError {
    // A parser's reason quotes what it has read.
    IdentityError::Malformed { from: from.to_owned(), reason: printable(reason.to_string()) }
}
