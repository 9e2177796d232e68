//! How a client authenticates to an authorization server.
//!
//! A public client sends its `client_id` only. A confidential client adds a client assertion: a JWT
//! that it signs anew for each attempt, with a key whose public part its metadata publishes. A
//! session keeps the key that it was begun with, because the authorization server ends a session
//! whose client authenticates with another key.
//!
//! RFC 7523 sections 2.2 and 3; atproto OAuth, «Confidential Client Authentication».

use std::time::Duration;

use atproto_dpop::JwsHeader;
use atproto_sansio::{Fresh, ToSign};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::client::key::ClientKey;
use crate::endpoints::form::Form;
use crate::error::Error;
use crate::login::pkce;
use crate::origin::Origin;

/// Authentication method of the client of one session, unchanged until the session ends.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "method", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthMethod {
    /// A public client: `token_endpoint_auth_method` is `none`.
    None,
    /// A confidential client: `token_endpoint_auth_method` is `private_key_jwt`.
    PrivateKeyJwt {
        /// `kid` of the [`ClientKey`](crate::ClientKey).
        kid: String,
        /// JWK thumbprint (RFC 7638) of the key, because another key may get the same `kid` later.
        jkt: String,
    },
}

/// The client's identity at one authorization server; `key` is `None` for a public client.
#[derive(Clone, Debug)]
pub(crate) struct ClientAuth {
    pub(crate) client_id: String,
    pub(crate) issuer: Origin,
    pub(crate) key: Option<ClientKey>,
}

/// Age of a new client assertion. An authorization server accepts an assertion that is up to a
/// minute old, but none from the future. Because the `iat` lies in the past, either clock may be
/// off by about 25 seconds. Larger offsets are corrected by the `Date` header of the server.
const BACKDATED: Duration = Duration::from_secs(25);
const LIFETIME: Duration = Duration::from_secs(60);

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl ClientAuth {
    /// Message for the remote signer; `None` if the key is local or the client is public.
    pub(crate) fn to_sign(&self, fresh: Fresh<'_>) -> Option<ToSign> {
        let key = self.key.as_ref()?;
        let key_id = key.remote_id()?.to_owned();
        let message = self.unsigned(key, fresh).message().to_vec();
        Some(ToSign { key_id, message })
    }

    /// Adds the `client_id` to `form`, and for a confidential client a new client assertion.
    pub(crate) fn apply(&self, form: &mut Form, fresh: Fresh<'_>) -> Result<(), Error> {
        form.field("client_id", &self.client_id);
        let Some(key) = &self.key else { return Ok(()) };
        let assertion = match &fresh.signed {
            Some(signed) => key.finish(signed.message, signed.signature)?,
            None => key.sign(self.unsigned(key, fresh))?,
        };
        form.field("client_assertion_type", JWT_BEARER).field("client_assertion", &assertion);
        Ok(())
    }

    fn unsigned(&self, key: &ClientKey, fresh: Fresh<'_>) -> atproto_dpop::Unsigned {
        let issued_at = fresh.now - BACKDATED;
        let header = json!({"alg": "ES256", "kid": key.kid(), "typ": "JWT"});
        let claims = json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.issuer,
            "jti": pkce::random_name(fresh.entropy),
            "iat": issued_at.as_secs(),
            "exp": (issued_at + LIFETIME).as_secs(),
        });
        JwsHeader::new(&header.to_string()).with_payload(&[&claims.to_string()])
    }
}
