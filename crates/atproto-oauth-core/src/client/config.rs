//! The checked settings of a client, which all its machines share.

use atproto_dpop::DpopKey;
use atproto_identity::Resolver;
use atproto_sansio::Reach;
use url::Url;

use crate::client::auth::{AuthMethod, ClientAuth};
use crate::client::description::Description;
use crate::client::key::ClientKey;
use crate::client::redirect_uri::{ApplicationType, RedirectUri};
use crate::error::{EndpointName, Error, InputError, SessionError};
use crate::origin::{Origin, shown};
use crate::scope::Scopes;

/// The settings of a client; [`ClientBuilder`](crate::ClientBuilder) documents and checks them.
pub(crate) struct Config {
    pub(crate) client_id: String,
    pub(crate) application_type: ApplicationType,
    pub(crate) redirect_uris: Vec<RedirectUri>,
    /// The published keys of a confidential client. New sessions use the first; retired keys are last.
    pub(crate) keys: Vec<ClientKey>,
    /// `kid` of each key that must not be used any more.
    pub(crate) revoked_kids: Vec<String>,
    /// Whether sessions of a public client authenticate with the first key from now on.
    pub(crate) upgrades_public_sessions: bool,
    pub(crate) jwks_uri: Option<Url>,
    pub(crate) description: Description,
    pub(crate) scopes: Scopes,
    pub(crate) resolver: Resolver,
    pub(crate) nonce_policy: NoncePolicy,
    pub(crate) resource_metadata_fallback: bool,
    pub(crate) development: bool,
    /// Server of a login without an account.
    pub(crate) default_server: Origin,
}

/// The treatment of a successful response that lacks the `DPoP-Nonce` header.
///
/// A server that gives no nonces cannot tell a fresh proof from a stolen one that was made in
/// advance.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a policy either enforces the specification or does not"
)]
pub enum NoncePolicy {
    /// Rejects a successful response to a pushed authorization request or a code exchange
    /// (atproto OAuth, «DPoP»). Tokens that a refresh returned are not lost, and the response to a
    /// request is returned.
    Strict,
    /// Accepts the response, as the reference clients do, because servers that people run leave the
    /// header out.
    #[default]
    Interop,
}

impl Config {
    /// Authentication method of new sessions: the first key, or none for a public client.
    pub(crate) fn auth_method(&self) -> AuthMethod {
        match self.keys.first() {
            Some(key) => {
                AuthMethod::PrivateKeyJwt { kid: key.kid().to_owned(), jkt: key.jwk().thumbprint() }
            }
            None => AuthMethod::None,
        }
    }

    /// Authentication method of a session that was begun with `begun`.
    pub(crate) fn present_method(&self, begun: &AuthMethod) -> AuthMethod {
        match begun {
            AuthMethod::None if self.upgrades_public_sessions => self.auth_method(),
            AuthMethod::None | AuthMethod::PrivateKeyJwt { .. } => begun.clone(),
        }
    }

    /// Authenticates to `issuer` by the `method` that a login or session was begun with.
    ///
    /// Fails if the key is revoked, is no longer among the client's keys, or is the session's DPoP key.
    pub(crate) fn auth(
        &self,
        client_id: &str,
        method: &AuthMethod,
        issuer: &Origin,
        dpop_key: &DpopKey,
    ) -> Result<ClientAuth, Error> {
        let key = match method {
            AuthMethod::None => None,
            AuthMethod::PrivateKeyJwt { kid, jkt } => {
                if self.revoked_kids.contains(kid) {
                    return Err(SessionError::KeyRevoked { kid: kid.clone() }.into());
                }
                let fits = |key: &&ClientKey| key.kid() == kid && key.jwk().thumbprint() == *jkt;
                let key = self.keys.iter().find(fits).cloned();
                let missing = || SessionError::NoSuchKey { kid: kid.clone(), jkt: jkt.clone() };
                Some(key.ok_or_else(missing)?)
            }
        };
        if self.keys.iter().any(|key| key.jwk() == dpop_key.jwk()) {
            return Err(SessionError::SharedKey.into());
        }
        Ok(ClientAuth { client_id: client_id.to_owned(), issuer: issuer.clone(), key })
    }

    /// Rejects a pending login or a session that was made for another `client_id`.
    pub(crate) fn check_client_id(&self, client_id: &str) -> Result<(), Error> {
        if self.client_id == client_id { Ok(()) } else { Err(SessionError::OtherClient.into()) }
    }

    /// Redirect URI of a login that asks for `asked`, or for none: then it is the first one of the
    /// client. Rejects a redirect URI that the client does not declare.
    pub(crate) fn redirect_uri(&self, asked: Option<&Url>) -> Result<RedirectUri, InputError> {
        let Some(asked) = asked else {
            let first = self.redirect_uris.first().cloned();
            return first.ok_or(InputError::Request("the client has no redirect URI"));
        };
        let declared = self.redirect_uris.iter().find_map(|declared| declared.declares(asked));
        declared.ok_or_else(|| InputError::RedirectUriNotDeclared(shown(asked.as_str())))
    }

    /// Rejects a server of a development network if the client was not built for one.
    pub(crate) fn check_server(&self, server: &Origin) -> Result<(), InputError> {
        match Origin::parse_canonical(server.as_str(), self.development) {
            Ok(_) => Ok(()),
            Err(why) => Err(InputError::Server { input: shown(server.as_str()), why }),
        }
    }

    /// The violation to report beside a successful response, if that lacks a nonce.
    ///
    /// # Errors
    ///
    /// Fails with the violation under [`NoncePolicy::Strict`].
    pub(crate) fn nonce_violation(
        &self,
        nonce_missing: bool,
        endpoint: EndpointName,
    ) -> Result<Option<Error>, Error> {
        let violation = nonce_missing.then_some(Error::NonceMissing(endpoint));
        match (violation, self.nonce_policy) {
            (Some(violation), NoncePolicy::Strict) => Err(violation),
            (violation, NoncePolicy::Strict | NoncePolicy::Interop) => Ok(violation),
        }
    }

    /// Reach of requests to servers that a user or the network named.
    pub(crate) fn reach(&self) -> Reach {
        Reach::untrusted(self.development)
    }
}
