//! Form-encoded requests to an endpoint of an authorization server.

use atproto_sansio::{Body, Fresh, How, Reach, SecretString, ToSign};
use bytes::Bytes;
use http::{Request, header};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::client::auth::ClientAuth;
use crate::error::{Error, InputError};

/// One endpoint of an authorization server, and the client that authenticates to it.
#[derive(Clone, Debug)]
pub(crate) struct FormEndpoint {
    pub(crate) url: Url,
    pub(crate) auth: ClientAuth,
    pub(crate) reach: Reach,
}

/// The fields of one request.
pub(crate) struct Form(Serializer<'static, String>);

impl FormEndpoint {
    /// The message that a remote key of the client must sign for the next request.
    pub(crate) fn to_sign(&self, fresh: Fresh<'_>) -> Option<ToSign> {
        self.auth.to_sign(fresh)
    }

    /// `POST` of a form that begins with the client's authentication; `fill` adds the rest.
    ///
    /// The body is a wire buffer, which cannot be wiped.
    pub(crate) fn post(
        &self,
        fresh: Fresh<'_>,
        fill: impl FnOnce(&mut Form),
    ) -> Result<Request<Body>, Error> {
        let mut form = Form(Serializer::new(String::new()));
        self.auth.apply(&mut form, fresh)?;
        fill(&mut form);
        Request::post(self.url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::Bytes(Bytes::from(form.0.finish())))
            .map_err(|_| InputError::Request("the endpoint's URL can't be requested").into())
    }

    /// Limits of each request: ten seconds, and 64 KiB of response.
    pub(crate) fn how(&self) -> How {
        How::buffered(MAX_LEN, self.reach)
    }
}

impl Form {
    pub(crate) fn field(&mut self, name: &str, value: &str) -> &mut Self {
        self.0.append_pair(name, value);
        self
    }

    pub(crate) fn secret(&mut self, name: &str, value: &SecretString) -> &mut Self {
        self.field(name, value.expose())
    }
}

/// The largest response that an endpoint may give.
const MAX_LEN: usize = 64 * 1024;
