//! The OAuth client: its settings, and the machines for login, refresh, revocation and requests.

pub(crate) mod auth;
pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod description;
pub(crate) mod id;
pub(crate) mod key;
pub(crate) mod lint;
pub(crate) mod loopback;
pub(crate) mod metadata;
pub(crate) mod other_members;
pub(crate) mod redirect_rules;
pub(crate) mod redirect_uri;

use std::fmt;
use std::sync::Arc;

use atproto_identity::Resolver;
use atproto_sansio::Body;
use http::Request;

use crate::client::builder::ClientBuilder;
use crate::client::config::{Config, NoncePolicy};
use crate::client::lint::check_client::CheckClient;
use crate::client::lint::finding::Finding;
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
use crate::session::adopt::{Adopt, Credentials};
use crate::session::refresh::Refresh;
use crate::session::request::ResourceRequest;
use crate::session::revoke::Revoke;

/// An OAuth client: immutable settings, from which each operation makes its machine.
///
/// A clone is cheap, because clones share the settings.
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
    /// Builds a public client without a metadata document: for development, command lines and
    /// desktop programs.
    ///
    /// Its `client_id` is `http://localhost` with its redirect URIs and scopes as parameters. Its
    /// redirect URIs are on `127.0.0.1` and `[::1]`, with any port (atproto OAuth, «Localhost
    /// Client Development»).
    pub fn loopback(scopes: Scopes) -> ClientBuilder {
        ClientBuilder::loopback(scopes)
    }

    /// Builds a web application, which serves its [`metadata`](Self::metadata) at `client_id`.
    ///
    /// With a [`key`](ClientBuilder::key) it is a confidential client, and authorization servers
    /// give its sessions a longer lifetime; without a key it is a public client.
    pub fn web(client_id: impl Into<String>, scopes: Scopes) -> ClientBuilder {
        ClientBuilder::published(client_id.into(), ApplicationType::Web, scopes)
    }

    /// Builds a program on its users' devices, whose [`metadata`](Self::metadata) a web server of
    /// its publisher serves at `client_id`. It is a public client, without a key.
    pub fn native(client_id: impl Into<String>, scopes: Scopes) -> ClientBuilder {
        ClientBuilder::published(client_id.into(), ApplicationType::Native, scopes)
    }

    /// Resolves the account, pushes the authorization request, and ends in an
    /// [`Authorization`](crate::Authorization): the URL to open in the browser, and the [`Pending`]
    /// login to store until the callback.
    ///
    /// [`Subject::parse`] reads what the user typed; [`Subject::DefaultServer`] begins a login
    /// without an account at the client's [`default_server`](Self::default_server).
    pub fn authorize(&self, subject: Subject) -> Authorize {
        Authorize::new(Arc::clone(&self.0), subject)
    }

    /// Checks the callback against the stored [`Pending`] login, exchanges the authorization code,
    /// and ends in [`LoggedIn`](crate::LoggedIn) with the new session.
    pub fn callback(&self, pending: Pending, params: CallbackParams) -> ExchangeCode {
        ExchangeCode::new(Arc::clone(&self.0), pending, params)
    }

    /// Exchanges the session's single-use refresh token, and ends in
    /// [`Refreshed`](crate::Refreshed): the session that replaces `session` in storage. Refresh a
    /// session in one task at a time: hold a lock per account and session id, and read the session
    /// again under the lock. A server ends a session whose refresh token is used twice.
    pub fn refresh(&self, session: Session) -> Refresh {
        Refresh::new(Arc::clone(&self.0), session)
    }

    /// Spends the refresh token of `credentials`, which this client was given in another program,
    /// and ends in [`Refreshed`](crate::Refreshed) with a new session of the account.
    ///
    /// The DID document of the account must name the PDS of the credentials, and the issuer is the
    /// one that this PDS names. Until both are verified, the refresh token is not sent. See
    /// [`Credentials`] for what to store afterwards.
    pub fn adopt(&self, credentials: Credentials) -> Adopt {
        Adopt::new(Arc::clone(&self.0), credentials)
    }

    /// Revokes the session's tokens at the authorization server that issued them: a logout.
    pub fn revoke(&self, session: Session) -> Revoke {
        Revoke::new(Arc::clone(&self.0), session)
    }

    /// Sends `request` to the account's PDS, with the session's access token and a DPoP proof.
    ///
    /// Ends in the response of the PDS with any status: an error status is not an [`Error`], see
    /// [`xrpc::check`](crate::xrpc::check).
    ///
    /// # Errors
    ///
    /// [`InputError::ForeignOrigin`](crate::InputError::ForeignOrigin) if the URL of the request
    /// has another origin than the PDS,
    /// [`SessionError::OtherClient`](crate::SessionError::OtherClient) if the session has another
    /// `client_id`.
    pub fn request(
        &self,
        session: &Session,
        request: Request<Body>,
    ) -> Result<ResourceRequest, Error> {
        self.0.check_client_id(session.client_id())?;
        ResourceRequest::new(session, request, self.0.reach())
    }

    /// Fetches and checks the metadata of `server` and of its authorization server. If `server` has
    /// no protected resource metadata, it is taken for its own authorization server.
    pub fn discover(&self, server: Origin) -> Discover {
        Discover::new(server, true, self.development())
    }

    /// Like [`discover`](Self::discover), for the server of an account. A PDS without protected
    /// resource metadata is rejected as in a login, with
    /// [`DiscoveryError::NoOAuth`](crate::DiscoveryError::NoOAuth), unless the client has the
    /// [`resource_metadata_fallback`](ClientBuilder::resource_metadata_fallback).
    pub fn discover_pds(&self, pds: Origin) -> Discover {
        Discover::new(pds, self.0.resource_metadata_fallback, self.development())
    }

    /// The `client_id`: URL of the client's metadata document, or `http://localhost?…` for a
    /// loopback client.
    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// All scopes that the client declares; a login may request fewer.
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// Resolver of handles and DIDs.
    pub fn resolver(&self) -> &Resolver {
        &self.0.resolver
    }

    /// Server of a login with [`Subject::DefaultServer`].
    pub fn default_server(&self) -> &Origin {
        &self.0.default_server
    }

    /// Whether the client has a [`key`](ClientBuilder::key), and so has a [`jwks`](Self::jwks) to
    /// publish.
    pub fn is_confidential(&self) -> bool {
        !self.0.keys.is_empty()
    }

    /// Whether the client was built with [`ClientBuilder::development`].
    pub fn development(&self) -> bool {
        self.0.development
    }

    /// Treatment of successful responses without `DPoP-Nonce`.
    pub fn nonce_policy(&self) -> NoncePolicy {
        self.0.nonce_policy
    }

    /// JSON document to serve at the `client_id`, with status 200 and the content type
    /// `application/json`; `None` for a loopback client, which has no document.
    pub fn metadata(&self) -> Option<String> {
        self.0.metadata()
    }

    /// JSON document to serve at the `jwks_uri`, with the content type `application/json`: the
    /// public keys of a confidential client (RFC 7517 section 5).
    pub fn jwks(&self) -> String {
        self.0.jwks()
    }

    /// Finds everything that is wrong with the metadata `document` that is served at the
    /// [`client_id`](Self::client_id), as [`lint_metadata`](crate::lint_metadata) does, and what in it
    /// differs from the settings of this client: redirect URIs, scopes, method of authentication and
    /// keys. `jwks` is the document that is served at the `jwks_uri`.
    ///
    /// A loopback client has no document, so only its `client_id` is checked.
    pub fn lint_published(&self, document: &[u8], jwks: Option<&[u8]>) -> Vec<Finding> {
        self.0.lint_published(document, jwks)
    }

    /// Fetches the published documents of this client as an authorization server does, and ends in
    /// a [`ClientReport`](crate::ClientReport): the findings of
    /// [`lint_published`](Self::lint_published), and those of the responses.
    pub fn check_published(&self) -> CheckClient {
        CheckClient::of_own(Arc::clone(&self.0))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("client_id", &self.0.client_id).finish_non_exhaustive()
    }
}
