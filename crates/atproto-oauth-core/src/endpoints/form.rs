//! Form-encoded requests to an endpoint of an authorization server.

use atproto_sansio::{Body, Fresh, How, Reach, SecretString, ToSign};
use bytes::Bytes;
use http::{Request, Response, header};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::client::auth::ClientAuth;
use crate::client::loopback;
use crate::endpoints::refusal::Refusal;
use crate::error::{EndpointName, Error, InputError};

/// URL of an endpoint of an authorization server, and the client's authentication for it.
#[derive(Clone, Debug)]
pub(crate) struct FormEndpoint {
    pub(crate) url: Url,
    pub(crate) auth: ClientAuth,
    pub(crate) reach: Reach,
}

/// Form fields of one request, already encoded.
pub(crate) struct Form(Serializer<'static, String>);

impl FormEndpoint {
    /// Message that the remote signer must sign for the next request; `None` if the client's key is
    /// local, or the client is public.
    pub(crate) fn to_sign(&self, fresh: Fresh<'_>) -> Option<ToSign> {
        self.auth.to_sign(fresh)
    }

    /// Builds the `POST` request with a form: first the client's authentication, then the fields
    /// that `fill` adds.
    ///
    /// The body contains secrets and can't be zeroized, because it is a shared [`Bytes`] buffer.
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
            .map_err(|_| InputError::Request("the URL of the endpoint is not a URI").into())
    }

    /// The error of an error response, which the server may have sent because the client is a loopback client.
    pub(crate) fn refused(
        &self,
        endpoint: EndpointName,
        response: &Response<Bytes>,
        secrets: &[&str],
    ) -> Error {
        let refusal = Refusal::of_response(endpoint, response, secrets);
        let is_loopback = loopback::is_loopback(&self.auth.client_id);
        let loopback_rejected = is_loopback && refusal.is_about_client();
        Refusal { loopback_rejected, ..refusal }.into()
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

/// Largest accepted response of an endpoint, in bytes.
const MAX_LEN: usize = 64 * 1024;
