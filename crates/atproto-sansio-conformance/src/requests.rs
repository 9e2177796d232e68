//! Requests, settings and a reply that most scenarios use.

use std::time::Duration;

use atproto_sansio::{Answer, Body, How, Reach};
use http::Request;

/// Timeout of 20 seconds, a buffered reply of at most 1000 bytes, and `Reach::Configured`.
pub fn how() -> How {
    How {
        timeout: Duration::from_secs(20),
        answer: Answer::Buffered(1000),
        reach: Reach::Configured,
        start_by: None,
        least_time: Duration::ZERO,
    }
}

/// A `GET` request without a body.
pub fn get(url: String) -> Request<Body> {
    Request::get(url).body(Body::default()).unwrap()
}

/// A `POST` request with `body`.
pub fn post(url: String, body: &'static str) -> Request<Body> {
    Request::post(url).body(Body::Bytes(body.into())).unwrap()
}

/// A reply with status 200, an empty body, and no other header than `Content-Length`.
pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
