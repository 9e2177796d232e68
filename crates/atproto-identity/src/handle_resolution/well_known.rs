//! `GET https://<handle>/.well-known/atproto-did`
//!
//! Asks the host of a handle for its DID. The body of the response is the DID and nothing else.
//!
//! The host is untrusted. A redirect is checked before it is followed: only to https on the default
//! port. If the host answers every URL with a web page and status 200, the body is not a DID, and
//! the method fails.
//!
//! atproto Handle, «HTTPS well-known Method».

use std::time::Duration;

use atproto_sansio::{Body, Endpoint, Fresh, How, Reach, TransportError, printable};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use url::Url;

use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::json;
use crate::request::{forbidden_host, get, unexpected};
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::hostname;

/// Endpoint of the host of a handle, or of a redirect target.
#[derive(Debug)]
pub(crate) struct WellKnown {
    pub(crate) url: String,
    pub(crate) freshness: Freshness,
    pub(crate) timeout: Duration,
    pub(crate) development: bool,
}

/// Answer of a host: the DID, or the URL of a redirect.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    Did(Did),
    Redirect(Url),
}

/// Returns the URL of the DID of `handle`. In development, `.test` handles use plain http.
pub(crate) fn url(handle: &Handle, development: bool) -> String {
    let plain = development && hostname::is_test(handle.as_str());
    let scheme = if plain { "http" } else { "https" };
    format!("{scheme}://{handle}/.well-known/atproto-did")
}

impl Endpoint for WellKnown {
    type Output = Answer;
    type Error = IdentityError;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, IdentityError> {
        get(&self.url, "text/plain", self.freshness)
    }

    fn how(&self) -> How {
        let reach = Reach::untrusted(self.development);
        How { timeout: self.timeout, ..How::buffered(MAX_BODY, reach) }
    }

    fn response(&self, response: Response<Bytes>) -> Result<Answer, IdentityError> {
        if let Some(location) = redirect(&response) {
            return self.next(&location).map(Answer::Redirect);
        }
        if !response.status().is_success() {
            return Err(unexpected(printable(&self.url), &response));
        }
        let text = String::from_utf8_lossy(response.body());
        let text = json::without_mark(&text).trim();
        match Did::parse(text) {
            Ok(did) if did.check(self.development).is_ok() => Ok(Answer::Did(did)),
            Ok(_) | Err(_) => Err(IdentityError::InvalidRecord {
                at: printable(&self.url),
                found: printable(text),
            }),
        }
    }
}

impl WellKnown {
    /// Returns the URL of the redirect `location`; fails if it must not be followed.
    fn next(&self, location: &str) -> Result<Url, IdentityError> {
        let refused = |rule| IdentityError::Redirect { to: printable(location), rule };
        let here = Url::parse(&self.url).map_err(|_| refused("there is no URL to start from"))?;
        let next = here.join(location).map_err(|_| refused("it is not a URL"))?;
        // A private host is a suspected attack, even if its scheme or port would be refused, too.
        if let Some(rule) = forbidden_host(&next, self.development) {
            return Err(TransportError::blocked(rule).into());
        }
        // A redirect from https to http is refused, because TLS would no longer prove the host.
        if next.scheme() != "https" && !(self.development && next.scheme() == here.scheme()) {
            return Err(refused("only https URLs are allowed"));
        }
        if next.port().is_some() && !self.development {
            return Err(refused("only the default port is allowed"));
        }
        Ok(next)
    }
}

/// Returns the `Location` of a redirect; `None` if the status is not a redirect, or if the header
/// is missing.
fn redirect(response: &Response<Bytes>) -> Option<String> {
    let is_redirect = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(header::LOCATION).filter(|_| is_redirect)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// Largest response body that is read: 2048 characters of a DID, and white space around it.
const MAX_BODY: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::IdentityErrorKind as Kind;

    const URL: &str = "https://alice.com/.well-known/atproto-did";

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Answer, Kind> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let endpoint = WellKnown {
            url: URL.into(),
            freshness: Freshness::Fresh,
            timeout: Duration::ZERO,
            development: false,
        };
        endpoint.response(response).map_err(|error| error.kind())
    }

    #[test]
    fn the_body_is_one_did() {
        // Rules, P-14
        let did = || Ok(Answer::Did("did:web:alice.com".parse().unwrap()));
        for (body, expected) in [
            ("did:web:alice.com", did()),
            ("did:web:alice.com\n", did()),
            ("\r\n\t did:web:alice.com \r\n\r\n", did()),
            ("", Err(Kind::InvalidRecord)),
            ("did:web:alice.com\ndid:web:bob.com", Err(Kind::InvalidRecord)),
            ("did:web:alice.com\nhello", Err(Kind::InvalidRecord)),
            ("did=did:web:alice.com", Err(Kind::InvalidRecord)),
            ("\u{feff}did:web:alice.com", did()),
            ("\u{feff}\n\u{a0}did:web:alice.com\u{a0}", did()),
            ("\u{feff}\u{feff}did:web:alice.com", Err(Kind::InvalidRecord)),
            ("did:web:al\u{a0}ice.com", Err(Kind::InvalidRecord)),
            ("<!doctype html><title>Hi</title>", Err(Kind::InvalidRecord)),
            ("did:key:z6Mk", Err(Kind::InvalidRecord)),
            ("did:web:localhost", Err(Kind::InvalidRecord)),
        ] {
            assert_eq!(answer(200, &[], body), expected, "{body:?}");
        }
        assert_eq!(answer(203, &[("content-type", "text/html")], "did:web:alice.com"), did());
        assert_eq!(answer(404, &[], "did:web:alice.com"), Err(Kind::NotFound));
        assert_eq!(answer(410, &[], ""), Err(Kind::NotFound));
        for status in [300, 301, 304, 400, 403, 429, 500, 503] {
            assert_eq!(answer(status, &[], "did:web:alice.com"), Err(Kind::Status), "{status}");
        }
    }

    #[test]
    fn a_redirect_is_checked_before_it_is_followed() {
        // Rules A-49, J-10
        for (location, next) in [
            ("/elsewhere", Some("https://alice.com/elsewhere")),
            ("did.txt", Some("https://alice.com/.well-known/did.txt")),
            ("//www.alice.com/x", Some("https://www.alice.com/x")),
            ("https://other.com:443/x?y", Some("https://other.com/x?y")),
            ("http://alice.com/", None),
            ("ftp://alice.com/", None),
            ("file:///etc/passwd", None),
            ("javascript:alert(1)", None),
            ("https://alice.com:8443/", None),
            ("https://alice.com:22/", None),
            ("https://", None),
            ("http://notalice.com", None),
        ] {
            for status in [301, 302, 303, 307, 308] {
                let expected = match next {
                    Some(url) => Ok(Answer::Redirect(url.parse().unwrap())),
                    None => Err(Kind::Redirect),
                };
                let answer = answer(status, &[("location", location)], "did:web:bob.com");
                assert_eq!(answer, expected, "{location}");
            }
        }
        for location in [
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]:6379/",
            "https://localhost:22/",
            "http://metadata.google.internal/",
            "https://127.0.0.1/",
        ] {
            assert_eq!(
                answer(302, &[("location", location)], ""),
                Err(Kind::Blocked),
                "{location}"
            );
        }
        let both = [("location", "/x")];
        assert!(matches!(answer(200, &both, "did:web:a.com"), Ok(Answer::Did(_))));
        assert_eq!(answer(304, &both, ""), Err(Kind::Status));
    }

    #[test]
    fn plain_http_is_for_test_handles_in_development() {
        let at = |handle: &str, development| url(&handle.parse().unwrap(), development);
        assert!(at("alice.test", true).starts_with("http://alice.test/"));
        assert!(at("alice.com", true).starts_with("https://alice.com/"));
        assert!(at("alice.test", false).starts_with("https://alice.test/"));
        assert!(at("alice.com", false).starts_with("https://alice.com/"));
    }
}
