//! A request whose answer is looked at from outside: its status, its clock, its nonce.

use std::time::Duration;

use atproto_oauth_core::Error;
use atproto_sansio::{Answer, Body, Endpoint, Fresh, How, Reach, UnixTime};
use bytes::Bytes;
use http::{Method, Request, Response, header};

/// A request without tokens.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) development: bool,
}

/// An answer as it can be seen from outside.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) status: u16,
    /// Time of the server's clock.
    pub(super) date: Option<UnixTime>,
    pub(super) has_nonce: bool,
}

impl Endpoint for Probe {
    type Output = Seen;
    type Error = Error;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, Error> {
        let request = Request::builder().method(self.method.clone()).uri(&self.url);
        let request = match self.method {
            Method::POST => {
                request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            }
            _ => request,
        };
        let malformed = |_| atproto_oauth_core::InputError::Request("its URL is malformed");
        Ok(request.body(Body::default()).map_err(malformed)?)
    }

    fn how(&self) -> How {
        How {
            timeout: Duration::from_secs(10),
            answer: Answer::Buffered(64 * 1024),
            reach: Reach::untrusted(self.development),
            start_by: None,
            least_time: Duration::ZERO,
        }
    }

    fn response(&self, response: Response<Bytes>) -> Result<Seen, Error> {
        let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let date = date.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok());
        Ok(Seen {
            status: response.status().as_u16(),
            date: date.map(|since| UnixTime::from_secs(since.as_secs())),
            has_nonce: response.headers().contains_key("dpop-nonce"),
        })
    }
}
