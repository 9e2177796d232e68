//! Responses.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

/// A response with a body of this type.
pub(crate) fn typed(
    status: u16,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(crate) fn json(status: u16, value: &Value) -> Response<Bytes> {
    typed(status, "application/json", value.to_string())
}

pub(crate) fn text(status: u16, text: impl Into<Bytes>) -> Response<Bytes> {
    typed(status, "text/plain; charset=utf-8", text)
}

pub(crate) fn html(status: u16, page: String) -> Response<Bytes> {
    let mut response = typed(status, "text/html; charset=utf-8", page);
    set(&mut response, "cache-control", "no-store");
    set(&mut response, "referrer-policy", "no-referrer");
    response
}

/// A response without a body.
pub(crate) fn empty(status: u16) -> Response<Bytes> {
    let mut response = typed(status, "text/plain", Bytes::new());
    response.headers_mut().remove(CONTENT_TYPE);
    response
}

/// Sends the browser elsewhere with GET.
pub(crate) fn see_other(location: &str) -> Response<Bytes> {
    let mut response = empty(303);
    set(&mut response, "cache-control", "no-store");
    set(&mut response, "location", location);
    response
}

/// Sets a header; a value that can't be one is left out.
pub(crate) fn set(response: &mut Response<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}
