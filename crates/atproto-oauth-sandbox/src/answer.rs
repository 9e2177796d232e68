//! Constructors of the responses that the hosts of the network send.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

/// Returns a response whose `Content-Type` is `content_type`.
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

/// Returns an HTML page that is not cached and sends no `Referer`.
pub(crate) fn html(status: u16, page: String) -> Response<Bytes> {
    let mut response = typed(status, "text/html; charset=utf-8", page);
    set(&mut response, "cache-control", "no-store");
    set(&mut response, "referrer-policy", "no-referrer");
    response
}

/// Returns a response without a body and without a `Content-Type`.
pub(crate) fn empty(status: u16) -> Response<Bytes> {
    let mut response = typed(status, "text/plain", Bytes::new());
    response.headers_mut().remove(CONTENT_TYPE);
    response
}

/// Returns a redirect with status 303 to `location`, which the browser opens with GET.
pub(crate) fn see_other(location: &str) -> Response<Bytes> {
    let mut response = empty(303);
    set(&mut response, "cache-control", "no-store");
    set(&mut response, "location", location);
    response
}

/// Sets a header. If `value` is not a valid header value, the response does not change.
pub(crate) fn set(response: &mut Response<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}
