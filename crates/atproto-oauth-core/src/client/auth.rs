//! How a client authenticates to an authorization server.
//!
//! A public client says only who it is. A confidential one proves it with a JWT that it signs anew
//! for each attempt, by a key whose public part its metadata publishes. A session goes on as it was
//! begun: with another key the server would end it.
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

/// How a session's client authenticates: the same way for as long as the session lives.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "method", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthMethod {
    /// A public client: `token_endpoint_auth_method` is `none`.
    None,
    /// A confidential client.
    PrivateKeyJwt {
        /// The name of the key.
        kid: String,
        /// The thumbprint of the key, so that another one of the same name is told apart.
        jkt: String,
    },
}

/// Who is asking whom.
#[derive(Clone, Debug)]
pub(crate) struct ClientAuth {
    pub(crate) client_id: String,
    pub(crate) issuer: Origin,
    pub(crate) key: Option<ClientKey>,
}

/// A server allows an assertion to be a minute old, and not to be of the future by a second. So it is
/// issued nearly half a minute ago, and either clock may be off; what is more is learned from its `Date`.
const BACKDATED: Duration = Duration::from_secs(25);
const LIFETIME: Duration = Duration::from_secs(60);

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl ClientAuth {
    /// What a key that lives elsewhere must sign.
    pub(crate) fn to_sign(&self, fresh: Fresh<'_>) -> Option<ToSign> {
        let key = self.key.as_ref()?;
        let key_id = key.remote_id()?.to_owned();
        let message = self.unsigned(key, fresh).message().to_vec();
        Some(ToSign { key_id, message })
    }

    /// Writes into `form` who is asking, with a new assertion if that must be proved.
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
