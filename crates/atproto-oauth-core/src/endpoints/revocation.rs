//! `POST <revocation_endpoint>`
//!
//! Revokes one token at the authorization server that issued it.
//!
//! The request has a DPoP proof of the session's key, because some authorization servers answer 200
//! to a request without a proof, and revoke nothing. The status is 200 for unknown tokens, too.
//!
//! RFC 7009 section 2.1; atproto OAuth, «Tokens and Session Lifetime».

use std::time::Duration;

use atproto_sansio::{Body, Endpoint, Fresh, How, SecretString, ToSign};
use bytes::Bytes;
use http::{Request, Response};
use url::Url;

use crate::endpoints::form::FormEndpoint;
use crate::error::{EndpointName, Error};

/// One revocation request.
pub(crate) struct RevocationRequest {
    pub(crate) endpoint: FormEndpoint,
    pub(crate) token: SecretString,
    /// `refresh_token` or `access_token` (RFC 7009 section 2.1).
    pub(crate) token_type_hint: &'static str,
}

impl Endpoint for RevocationRequest {
    type Output = ();
    type Error = Error;

    fn url(&self) -> Option<&Url> {
        Some(&self.endpoint.url)
    }

    fn to_sign(&self, fresh: Fresh<'_>) -> Result<Option<ToSign>, Error> {
        Ok(self.endpoint.to_sign(fresh))
    }

    fn request(&self, fresh: Fresh<'_>) -> Result<Request<Body>, Error> {
        self.endpoint.post(fresh, |form| {
            form.secret("token", &self.token).field("token_type_hint", self.token_type_hint);
        })
    }

    fn how(&self) -> How {
        How { timeout: TIMEOUT, ..self.endpoint.how() }
    }

    fn response(&self, response: Response<Bytes>) -> Result<(), Error> {
        if response.status().is_success() {
            return Ok(());
        }
        let secrets = [self.token.expose()];
        Err(self.endpoint.refused(EndpointName::Revocation, &response, &secrets))
    }
}

/// Time limit of a revocation, shorter than for other requests, because a user waits for a logout.
const TIMEOUT: Duration = Duration::from_secs(5);
