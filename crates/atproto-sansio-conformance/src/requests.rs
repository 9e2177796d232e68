//! Requests as most scenarios make them.

use std::time::Duration;

use atproto_sansio::{Answer, Body, How, Reach};
use bytes::Bytes;
use http::Request;

/// Two seconds for at most 1000 bytes from a server that the operator named.
pub fn how() -> How {
    How {
        timeout: Duration::from_secs(20),
        answer: Answer::Buffered(1000),
        reach: Reach::Configured,
        start_by: None,
    }
}

/// A request without a body.
pub fn get(url: String) -> Request<Body> {
    Request::get(url).body(Body::Bytes(Bytes::new())).unwrap()
}

/// A request with a body.
pub fn post(url: String, body: &'static str) -> Request<Body> {
    Request::post(url).body(Body::Bytes(body.into())).unwrap()
}

/// The reply of a server that has nothing to say.
pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
