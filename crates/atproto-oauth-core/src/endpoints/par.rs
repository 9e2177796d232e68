//! `POST <pushed_authorization_request_endpoint>`
//!
//! Pushes the authorization request to the authorization server directly, so that the browser
//! carries only its `request_uri`.
//!
//! The `request_uri` is opaque and single-use. The authorization server binds the later
//! authorization code to the key of this request's DPoP proof (RFC 9449 section 10.1).
//!
//! RFC 9126 section 2; atproto OAuth, «Authorization Requests».

use std::time::Duration;

use atproto_sansio::{Body, Endpoint, Fresh, How, ToSign};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::endpoints::form::FormEndpoint;
use crate::error::{EndpointName, Error};
use crate::json;

/// One pushed authorization request.
#[derive(Debug)]
pub(crate) struct Par {
    pub(crate) endpoint: FormEndpoint,
    /// All form fields, except those of the client's authentication.
    pub(crate) parameters: Vec<(String, String)>,
}

/// The `request_uri` of a pushed authorization request, and its lifetime.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) request_uri: String,
    pub(crate) expires_in: Duration,
}

#[derive(Deserialize)]
struct Document {
    request_uri: String,
    /// A number that may be written with a zero fraction.
    expires_in: f64,
}

impl Endpoint for Par {
    type Output = Pushed;
    type Error = Error;

    fn url(&self) -> Option<&Url> {
        Some(&self.endpoint.url)
    }

    fn to_sign(&self, fresh: Fresh<'_>) -> Result<Option<ToSign>, Error> {
        Ok(self.endpoint.to_sign(fresh))
    }

    fn request(&self, fresh: Fresh<'_>) -> Result<Request<Body>, Error> {
        self.endpoint.post(fresh, |form| {
            for (name, value) in &self.parameters {
                form.field(name, value);
            }
        })
    }

    fn how(&self) -> How {
        self.endpoint.how()
    }

    fn response(&self, response: Response<Bytes>) -> Result<Pushed, Error> {
        let endpoint = EndpointName::PushedAuthorizationRequest;
        if !matches!(response.status(), StatusCode::CREATED | StatusCode::OK) {
            let state = self.parameters.iter().filter(|(name, _)| name == "state");
            let secrets: Vec<_> = state.map(|(_, value)| value.as_str()).collect();
            return Err(self.endpoint.refused(endpoint, &response, &secrets));
        }
        let malformed = |what: String| Error::Malformed { endpoint, what };
        let Document { request_uri, expires_in } =
            json::object(response.body()).map_err(malformed)?;
        let expires_in = expires_in.floor().min(LONGEST);
        let expires_in = Duration::try_from_secs_f64(expires_in).unwrap_or_default();
        if request_uri.is_empty() || expires_in.is_zero() {
            let what =
                "`request_uri` is empty, or `expires_in` is not positive (RFC 9126 section 2.2)";
            return Err(malformed(what.to_owned()));
        }
        Ok(Pushed { request_uri, expires_in })
    }
}

/// Longest lifetime of a `request_uri` that is believed, in seconds: 24 hours.
const LONGEST: f64 = 24.0 * 60.0 * 60.0;

#[cfg(test)]
mod tests {
    use atproto_sansio::Reach;

    use super::*;
    use crate::client::auth::ClientAuth;
    use crate::origin::Origin;

    fn par() -> Par {
        Par {
            endpoint: FormEndpoint {
                url: "https://bsky.social/oauth/par".parse().unwrap(),
                auth: ClientAuth {
                    client_id: "http://localhost".to_owned(),
                    issuer: Origin::parse("https://bsky.social", false).unwrap(),
                    key: None,
                },
                reach: Reach::Public,
            },
            parameters: vec![("scope".to_owned(), "atproto repo:*?x=a&y=b+c#é".to_owned())],
        }
    }

    #[test]
    fn parameters_are_form_encoded() {
        // Rule D-05
        let entropy = &mut |_: &mut [u8]| {};
        struct None<F>(F);
        impl<F: FnMut(&mut [u8])> atproto_sansio::Entropy for None<F> {
            fn fill(&mut self, bytes: &mut [u8]) {
                (self.0)(bytes);
            }
        }
        let request = par().request(Fresh::new(Default::default(), &mut None(entropy))).unwrap();
        assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
        let Body::Bytes(body) = request.body() else { unreachable!() };
        assert_eq!(
            std::str::from_utf8(body).unwrap(),
            "client_id=http%3A%2F%2Flocalhost&\
             scope=atproto+repo%3A*%3Fx%3Da%26y%3Db%2Bc%23%C3%A9"
        );
    }

    #[test]
    fn a_refusal_does_not_repeat_the_state() {
        let mut par = par();
        par.parameters.push(("state".to_owned(), "s3cret".to_owned()));
        let body = r#"{"error":"invalid_request","error_description":"state=s3cret"}"#;
        let response = Response::builder().status(400).body(Bytes::from_static(body.as_bytes()));
        let error = par.response(response.unwrap()).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn a_response_has_a_request_uri_with_a_lifetime() {
        let answer = |status: u16, body: &str| {
            let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            par().response(response)
        };
        let good = r#"{"request_uri":"urn:x","expires_in":299}"#;
        for status in [200, 201] {
            assert_eq!(answer(status, good).unwrap().expires_in.as_secs(), 299);
        }
        // Rule P-14
        for (number, seconds) in
            [("299.0", 299), ("2.99e2", 299), ("18446744073709551616", 86_400), ("1e300", 86_400)]
        {
            let pushed = answer(201, &good.replace("299", number)).unwrap();
            assert_eq!(pushed.expires_in.as_secs(), seconds, "{number}");
        }
        assert!(answer(201, &format!("\u{feff}{good}")).is_ok());
        for status in [202, 204, 302, 400, 401, 405, 413, 500] {
            assert!(matches!(answer(status, good), Err(Error::Refused(_))), "{status}");
        }
        for body in [
            "",
            "[]",
            r#"{"request_uri":"","expires_in":299}"#,
            r#"{"request_uri":"urn:x","expires_in":0}"#,
            r#"{"request_uri":"urn:x","expires_in":-1}"#,
            r#"{"request_uri":"urn:x","expires_in":"299"}"#,
            r#"{"request_uri":"urn:x"}"#,
            r#"{"expires_in":299}"#,
        ] {
            assert!(matches!(answer(201, body), Err(Error::Malformed { .. })), "{body}");
        }
    }
}
