//! A client as it is configured, and the procedures that begin with it.

use std::fmt;
use std::sync::Arc;

use atproto_identity::Resolver;
use atproto_sansio::Body;
use http::Request;
use url::Url;

use crate::auth::{AuthMethod, ClientAuth};
use crate::authorize::Authorize;
use crate::callback::CallbackParams;
use crate::discover::Discover;
use crate::error::{Error, InputError, SessionError};
use crate::exchange_code::ExchangeCode;
use crate::loopback;
use crate::origin::Origin;
use crate::pending::Pending;
use crate::refresh::Refresh;
use crate::request::ResourceRequest;
use crate::revoke::Revoke;
use crate::scope::Scopes;
use crate::session::Session;
use crate::subject::Subject;

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
pub struct Client(Arc<Parts>);

struct Parts {
    client_id: String,
    redirect_uris: Vec<Url>,
    scopes: Scopes,
    auth_method: AuthMethod,
    resolver: Resolver,
    nonce_policy: NoncePolicy,
    resource_metadata_fallback: bool,
    development: bool,
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

/// A loopback client in the making.
#[derive(Clone, Debug)]
#[must_use]
pub struct LoopbackBuilder {
    scopes: Scopes,
    redirect_path: String,
    resolver: Resolver,
    nonce_policy: NoncePolicy,
    resource_metadata_fallback: bool,
    development: bool,
}

impl Client {
    /// A client without a server of its own: for development, command lines and desktop programs.
    ///
    /// Its `client_id` is `http://localhost` with its redirect URIs and scopes as parameters, and
    /// its redirect URIs are at a loopback address, at whatever port is free
    /// (atproto OAuth, «Localhost Client Development»).
    pub fn loopback(scopes: Scopes) -> LoopbackBuilder {
        LoopbackBuilder {
            scopes,
            redirect_path: "/".to_owned(),
            resolver: Resolver::new(),
            nonce_policy: NoncePolicy::default(),
            resource_metadata_fallback: false,
            development: false,
        }
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

    pub(crate) fn auth(&self) -> ClientAuth {
        ClientAuth { client_id: self.0.client_id.clone(), method: self.0.auth_method.clone() }
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
        if self.0.redirect_uris.iter().any(|registered| loopback::matches(registered, uri)) {
            return Ok(());
        }
        Err(InputError::RedirectUriNotDeclared(uri.to_string()))
    }
}

impl LoopbackBuilder {
    /// Reads a loopback `client_id` again, such as the one that a stored session names.
    ///
    /// # Errors
    ///
    /// It is not a loopback `client_id`, or one with other redirect URIs than
    /// [`build`](Self::build) makes.
    pub fn from_client_id(client_id: &str) -> Result<Self, Error> {
        let (path, scopes) = loopback::parse_client_id(client_id)?;
        Ok(Client::loopback(scopes).redirect_path(path))
    }

    /// The path of the redirect URIs; `/` by default.
    pub fn redirect_path(self, path: impl Into<String>) -> Self {
        Self { redirect_path: path.into(), ..self }
    }

    /// How identities are resolved; over the public network by default.
    pub fn resolver(self, resolver: Resolver) -> Self {
        Self { resolver, ..self }
    }

    /// What a missing nonce means.
    pub fn nonce_policy(self, nonce_policy: NoncePolicy) -> Self {
        Self { nonce_policy, ..self }
    }

    /// Takes a PDS without protected resource metadata for its own authorization server. The
    /// specification wants the metadata; some servers predate it.
    pub fn resource_metadata_fallback(self) -> Self {
        Self { resource_metadata_fallback: true, ..self }
    }

    /// For a development network: loopback, plain http and `.test` are allowed.
    ///
    /// The transport must be built for development too.
    pub fn development(self) -> Self {
        Self { development: true, ..self }
    }

    /// Checks the parts and puts them together.
    ///
    /// # Errors
    ///
    /// The redirect path is not one.
    pub fn build(self) -> Result<Client, Error> {
        let redirect_uris = loopback::redirect_uris(&self.redirect_path)?;
        let resolver = if self.development { self.resolver.development() } else { self.resolver };
        Ok(Client(Arc::new(Parts {
            client_id: loopback::client_id(&redirect_uris, &self.scopes),
            redirect_uris,
            scopes: self.scopes,
            auth_method: AuthMethod::None,
            resolver,
            nonce_policy: self.nonce_policy,
            resource_metadata_fallback: self.resource_metadata_fallback,
            development: self.development,
        })))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("client_id", &self.0.client_id).finish_non_exhaustive()
    }
}
