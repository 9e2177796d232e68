//! A client as it is configured, and the procedures that begin with it.

pub(crate) mod auth;
pub(crate) mod builder;
pub(crate) mod id;
pub(crate) mod key;
pub(crate) mod loopback;
pub(crate) mod metadata;
pub(crate) mod redirect_uri;

use std::fmt;
use std::sync::Arc;

use atproto_dpop::DpopKey;
use atproto_identity::Resolver;
use atproto_sansio::Body;
use http::Request;
use url::Url;

use crate::client::auth::{AuthMethod, ClientAuth};
use crate::client::builder::ClientBuilder;
use crate::client::key::ClientKey;
use crate::client::metadata::Description;
use crate::client::redirect_uri::ApplicationType;
use crate::discovery::discover::Discover;
use crate::error::{Error, InputError, SessionError};
use crate::login::authorize::Authorize;
use crate::login::callback::CallbackParams;
use crate::login::exchange_code::ExchangeCode;
use crate::login::pending::Pending;
use crate::login::subject::Subject;
use crate::origin::Origin;
use crate::scope::Scopes;
use crate::session::Session;
use crate::session::refresh::Refresh;
use crate::session::request::ResourceRequest;
use crate::session::revoke::Revoke;

/// A client as it is configured. Cheap to clone.
///
/// ```
/// use atproto_oauth_core::{Client, Scopes};
///
/// let scopes = Scopes::parse("atproto transition:generic")?;
/// let client = Client::loopback(scopes).redirect_path("/callback").build()?;
/// assert!(client.client_id().starts_with("http://localhost?redirect_uri="));
/// # Ok::<(), atproto_oauth_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) client_id: String,
    pub(crate) application_type: ApplicationType,
    pub(crate) redirect_uris: Vec<Url>,
    /// The first is for new sessions.
    pub(crate) keys: Vec<ClientKey>,
    pub(crate) description: Description,
    pub(crate) scopes: Scopes,
    pub(crate) resolver: Resolver,
    pub(crate) nonce_policy: NoncePolicy,
    pub(crate) resource_metadata_fallback: bool,
    pub(crate) development: bool,
}

/// What to do with a successful answer that lacks the `DPoP-Nonce` that atproto demands.
///
/// A server that gives no nonces can't tell a fresh proof from a stolen one that was made in
/// advance.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the specification or the real world")]
pub enum NoncePolicy {
    /// Refuse it, as atproto OAuth asks for under «DPoP». Tokens that were refreshed are not lost.
    #[default]
    Strict,
    /// Accept it, as the reference clients do.
    Interop,
}

impl Client {
    /// A client without a server of its own: for development, command lines and desktop programs.
    ///
    /// Its `client_id` is `http://localhost` with its redirect URIs and scopes as parameters, and
    /// its redirect URIs are at a loopback address, at whatever port is free
    /// (atproto OAuth, «Localhost Client Development»).
    pub fn loopback(scopes: Scopes) -> ClientBuilder {
        ClientBuilder::loopback(scopes)
    }

    /// A web application, whose metadata is at `client_id`. With a [`key`](ClientBuilder::key) it is
    /// a confidential client, whose sessions may live long; without one it is a public client.
    pub fn web(client_id: impl Into<String>, scopes: Scopes) -> ClientBuilder {
        ClientBuilder::published(client_id.into(), ApplicationType::Web, scopes)
    }

    /// A program on people's devices, whose metadata is at `client_id`.
    pub fn native(client_id: impl Into<String>, scopes: Scopes) -> ClientBuilder {
        ClientBuilder::published(client_id.into(), ApplicationType::Native, scopes)
    }

    /// Begins a login: ends in a URL for the browser and in what must be kept until it comes back.
    pub fn authorize(&self, subject: Subject) -> Authorize {
        Authorize::new(self.clone(), subject)
    }

    /// Finishes a login with what the browser came back with.
    pub fn callback(&self, pending: Pending, params: CallbackParams) -> ExchangeCode {
        ExchangeCode::new(self.clone(), pending, params)
    }

    /// Spends the session's refresh token: ends in the session that takes its place.
    pub fn refresh(&self, session: Session) -> Refresh {
        Refresh::new(self.clone(), session)
    }

    /// Logs out: revokes the session's tokens at the server that issued them.
    pub fn revoke(&self, session: Session) -> Revoke {
        Revoke::new(self.clone(), session)
    }

    /// A request to the account's server, with the session's token and a proof for it.
    ///
    /// Ends in the server's response, whatever its status.
    ///
    /// # Errors
    ///
    /// The request leads to another server, or the session was made for another client.
    pub fn request(
        &self,
        session: &Session,
        request: Request<Body>,
    ) -> Result<ResourceRequest, Error> {
        self.check_session(session)?;
        ResourceRequest::new(session, request, self.development())
    }

    /// Finds the authorization server of a server: its own metadata, checked.
    pub fn discover(&self, server: Origin) -> Discover {
        Discover::new(server, true, self.development())
    }

    /// The `client_id`: where the client's metadata is, or what stands in for it.
    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// All scopes that the client may ask for.
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// How identities are resolved.
    pub fn resolver(&self) -> &Resolver {
        &self.0.resolver
    }

    /// Whether the client was built for a development network.
    pub fn development(&self) -> bool {
        self.0.development
    }

    /// What a missing nonce means.
    pub fn nonce_policy(&self) -> NoncePolicy {
        self.0.nonce_policy
    }

    pub(crate) fn resource_metadata_fallback(&self) -> bool {
        self.0.resource_metadata_fallback
    }

    /// How a new session is begun.
    pub(crate) fn auth_method(&self) -> AuthMethod {
        match self.0.keys.first() {
            Some(key) => {
                AuthMethod::PrivateKeyJwt { kid: key.kid().to_owned(), jkt: key.jwk().thumbprint() }
            }
            None => AuthMethod::None,
        }
    }

    /// Who asks `issuer`, as a session was begun: with that key and no other.
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
                let fits = |key: &&ClientKey| key.kid() == kid && key.jwk().thumbprint() == *jkt;
                let key = self.0.keys.iter().find(fits).cloned();
                let gone = || SessionError::NoSuchKey { kid: kid.clone(), jkt: jkt.clone() };
                Some(key.ok_or_else(gone)?)
            }
        };
        if self.0.keys.iter().any(|key| key.jwk() == dpop_key.jwk()) {
            return Err(SessionError::SharedKey.into());
        }
        Ok(ClientAuth { client_id: client_id.to_owned(), issuer: issuer.clone(), key })
    }

    /// A session keeps working only for the client that made it.
    pub(crate) fn check_session(&self, session: &Session) -> Result<(), Error> {
        if session.client_id() == self.client_id() {
            return Ok(());
        }
        Err(SessionError::OtherClient.into())
    }

    /// The first redirect URI, if no other is asked for.
    pub(crate) fn default_redirect_uri(&self) -> Option<&Url> {
        self.0.redirect_uris.first()
    }

    /// Whether `uri` is one of the client's redirect URIs; the port of a loopback one is free.
    pub(crate) fn check_redirect_uri(&self, uri: &Url) -> Result<(), InputError> {
        if self.0.redirect_uris.iter().any(|registered| redirect_uri::matches(registered, uri)) {
            return Ok(());
        }
        Err(InputError::RedirectUriNotDeclared(uri.to_string()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("client_id", &self.0.client_id).finish_non_exhaustive()
    }
}
