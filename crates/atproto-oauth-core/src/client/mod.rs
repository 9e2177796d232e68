//! A client as it is configured, and the procedures that begin with it.

pub(crate) mod auth;
pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod description;
pub(crate) mod id;
pub(crate) mod key;
pub(crate) mod loopback;
pub(crate) mod metadata;
pub(crate) mod redirect_uri;

use std::fmt;
use std::sync::Arc;

use atproto_identity::Resolver;
use atproto_sansio::Body;
use http::Request;

use crate::client::builder::ClientBuilder;
use crate::client::config::{Config, NoncePolicy};
use crate::client::redirect_uri::ApplicationType;
use crate::discovery::discover::Discover;
use crate::error::Error;
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
pub struct Client(pub(crate) Arc<Config>);

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
        Authorize::new(Arc::clone(&self.0), subject)
    }

    /// Finishes a login with what the browser came back with.
    pub fn callback(&self, pending: Pending, params: CallbackParams) -> ExchangeCode {
        ExchangeCode::new(Arc::clone(&self.0), pending, params)
    }

    /// Spends the session's refresh token: ends in the session that takes its place.
    pub fn refresh(&self, session: Session) -> Refresh {
        Refresh::new(Arc::clone(&self.0), session)
    }

    /// Logs out: revokes the session's tokens at the server that issued them.
    pub fn revoke(&self, session: Session) -> Revoke {
        Revoke::new(Arc::clone(&self.0), session)
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
        self.0.check_client_id(session.client_id())?;
        ResourceRequest::new(session, request, self.0.reach())
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

    /// The document to serve at the `client_id`, with status 200 and as `application/json`; `None`
    /// for a loopback client, whose `client_id` is its metadata.
    pub fn metadata(&self) -> Option<String> {
        self.0.metadata()
    }

    /// The document to serve at the `jwks_uri`, as `application/json`: the public keys of a
    /// confidential client (RFC 7517 section 5).
    pub fn jwks(&self) -> String {
        self.0.jwks()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("client_id", &self.0.client_id).finish_non_exhaustive()
    }
}
