//! Form-encoded requests to an authorization server.

use atproto_sansio::{Body, SecretString};
use bytes::Bytes;
use http::{Request, header};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::error::{Error, InputError};

/// The largest answer that an authorization server's endpoint may give.
pub(crate) const MAX_LEN: usize = 64 * 1024;

/// A form in the making.
pub(crate) struct Form(Serializer<'static, String>);

impl Form {
    pub(crate) fn new() -> Self {
        Self(Serializer::new(String::new()))
    }

    pub(crate) fn field(&mut self, name: &str, value: &str) -> &mut Self {
        self.0.append_pair(name, value);
        self
    }

    pub(crate) fn secret(&mut self, name: &str, value: &SecretString) -> &mut Self {
        self.field(name, value.expose())
    }

    /// `POST` of the form. The body is a wire buffer, which nobody can wipe.
    pub(crate) fn post(mut self, url: &Url) -> Result<Request<Body>, Error> {
        Request::post(url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::Bytes(Bytes::from(self.0.finish())))
            .map_err(|_| InputError::Request("the endpoint's URL can't be requested").into())
    }
}
