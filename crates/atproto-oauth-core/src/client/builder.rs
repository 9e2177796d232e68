//! Builds and checks a [`Client`].

use std::collections::BTreeSet;
use std::sync::Arc;

use atproto_identity::Resolver;
use atproto_sansio::printable;
use url::Url;

use crate::client::Client;
use crate::client::config::{Config, NoncePolicy};
use crate::client::description::{self, Description};
use crate::client::id;
use crate::client::key::{ClientKey, check_kid};
use crate::client::loopback;
use crate::client::other_members;
use crate::client::redirect_rules::Declarer;
use crate::client::redirect_uri::{self, ApplicationType, RedirectUri};
use crate::error::{ConfigError, Error};
use crate::origin::Origin;
use crate::scope::Scopes;

/// Settings of a client, checked by [`build`](Self::build).
///
/// The kind of client is chosen by the function that returns the builder:
/// [`Client::loopback`], [`Client::web`] or [`Client::native`]. Some options exist for one kind of
/// client only; for another kind, `build` fails with [`ConfigError::Misplaced`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct ClientBuilder {
    kind: Kind,
    scopes: Scopes,
    resolver: Resolver,
    nonce_policy: NoncePolicy,
    resource_metadata_fallback: bool,
    development: bool,
    default_server: Origin,
    /// First option that was set although this kind of client does not have it.
    misplaced: Option<&'static str>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A loopback client, whose `client_id` contains its metadata as query parameters.
    Loopback { redirect_path: String },
    /// A loopback client with the given `client_id`, unchanged.
    GivenLoopback { client_id: String, redirect_uris: Vec<RedirectUri> },
    /// A client whose `client_id` is the URL of its metadata document.
    Published(Box<Published>),
}

#[derive(Clone, Debug)]
struct Published {
    client_id: String,
    application_type: ApplicationType,
    redirect_uris: Vec<String>,
    keys: Vec<ClientKey>,
    retired_keys: Vec<ClientKey>,
    revoked_kids: Vec<String>,
    upgrades_public_sessions: bool,
    jwks_uri: Option<Url>,
    description: Description,
}

impl ClientBuilder {
    pub(crate) fn loopback(scopes: Scopes) -> Self {
        Self::new(Kind::Loopback { redirect_path: "/".to_owned() }, scopes)
    }

    pub(crate) fn published(client_id: String, kind: ApplicationType, scopes: Scopes) -> Self {
        Self::new(Kind::Published(Box::new(Published::new(client_id, kind))), scopes)
    }

    fn new(kind: Kind, scopes: Scopes) -> Self {
        Self {
            kind,
            scopes,
            resolver: Resolver::new(),
            nonce_policy: NoncePolicy::default(),
            resource_metadata_fallback: false,
            development: false,
            default_server: Origin::default_server(),
            misplaced: None,
        }
    }

    /// Rebuilds the settings of a loopback client from its `client_id`, for example from
    /// [`Session::client_id`](crate::Session::client_id) of a stored session.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ClientId`] if `client_id` is not that of a loopback client: `http://localhost`
    /// and perhaps a query with redirect URIs and scopes. [`ConfigError::RedirectUri`] or
    /// [`InputError::Scopes`](crate::InputError::Scopes) if these are malformed.
    pub fn from_loopback_client_id(client_id: &str) -> Result<Self, Error> {
        let (redirect_uris, scopes) = loopback::parse_client_id(client_id)?;
        let client_id = client_id.to_owned();
        Ok(Self::new(Kind::GivenLoopback { client_id, redirect_uris }, scopes))
    }

    /// Path of the redirect URIs of a loopback client; `/` by default.
    pub fn redirect_path(mut self, path: impl Into<String>) -> Self {
        match &mut self.kind {
            Kind::Loopback { redirect_path } => *redirect_path = path.into(),
            Kind::GivenLoopback { .. } | Kind::Published(_) => self.misplace("redirect_path"),
        }
        self
    }

    /// Adds a redirect URI of a web or native client. Logins use the first one, unless
    /// [`Authorize::redirect_uri`](crate::Authorize::redirect_uri) chooses another. The metadata
    /// and each login repeat it in this spelling, because servers compare it as a string.
    pub fn redirect_uri(self, uri: impl Into<String>) -> Self {
        self.with_published("redirect_uri", |published| published.redirect_uris.push(uri.into()))
    }

    /// Adds a key to a web client, which makes it a confidential client.
    ///
    /// New sessions use the first key. Each session stays with the key that it was begun with.
    ///
    /// # Rotation
    ///
    /// 1. Add the new key after the present one, and publish both. Authorization servers keep the
    ///    documents of a client for some minutes.
    /// 2. Make the new key the first, and the old one a [`retired_key`](Self::retired_key).
    /// 3. When [`Sessions::count_keys`](crate::Sessions::count_keys) finds no session of the old key,
    ///    remove it.
    ///
    /// If a private key has leaked, remove it at once, and name it as a
    /// [`revoked_key`](Self::revoked_key).
    pub fn key(self, key: ClientKey) -> Self {
        self.with_published("key", |published| published.keys.push(key))
    }

    /// Adds a key for sessions that were begun with it. It is published, and new sessions do not use it.
    pub fn retired_key(self, key: ClientKey) -> Self {
        self.with_published("retired_key", |published| published.retired_keys.push(key))
    }

    /// Names a key that must not be used any more, by its `kid`. A session that was begun with it fails
    /// with [`SessionError::KeyRevoked`](crate::SessionError::KeyRevoked), without a request. Once the
    /// key is not published any more, authorization servers end its sessions.
    pub fn revoked_key(self, kid: impl Into<String>) -> Self {
        self.with_published("revoked_key", |published| published.revoked_kids.push(kid.into()))
    }

    /// Https URL at which a confidential client serves its [`jwks`](Client::jwks). The metadata
    /// document then names this URL instead of containing the keys, so that keys are rotated
    /// without a change of the metadata document. A client without keys can't have it.
    pub fn jwks_uri(self, uri: Url) -> Self {
        self.with_published("jwks_uri", |published| published.jwks_uri = Some(uri))
    }

    /// Name and web pages of a web or native client, which the authorization server shows on its
    /// consent page, its contacts, and further members of its metadata.
    pub fn description(self, description: Description) -> Self {
        self.with_published("description", |published| published.description = description)
    }

    /// Lets sessions go on that were begun when the client had no key yet: they authenticate with the
    /// first key from now on, and stay with it. Without this option, servers refuse them, because they
    /// authenticate each request by the client's present metadata.
    ///
    /// The way back does not exist: a confidential client that becomes public loses its sessions.
    pub fn upgrade_public_sessions(self) -> Self {
        self.with_published("upgrade_public_sessions", |published| {
            published.upgrades_public_sessions = true;
        })
    }

    /// Resolver of handles and DIDs; [`Resolver::new`] by default.
    pub fn resolver(self, resolver: Resolver) -> Self {
        Self { resolver, ..self }
    }

    /// Treatment of successful responses without `DPoP-Nonce`; [`NoncePolicy::Interop`] by default.
    pub fn nonce_policy(self, nonce_policy: NoncePolicy) -> Self {
        Self { nonce_policy, ..self }
    }

    /// Accepts a PDS without protected resource metadata, as its own authorization server. By
    /// default, such a PDS is rejected with [`DiscoveryError::NoOAuth`](crate::DiscoveryError),
    /// because the specification requires the metadata; some servers predate it.
    pub fn resource_metadata_fallback(self) -> Self {
        Self { resource_metadata_fallback: true, ..self }
    }

    /// Allows loopback and `.test` hosts, also with plain http, for a development network.
    ///
    /// The driver must be built for development, too, or its requests fail as
    /// [`Phase::Blocked`](atproto_sansio::Phase::Blocked).
    pub fn development(self) -> Self {
        Self { development: true, ..self }
    }

    /// Server of a login without an account, which is a login with
    /// [`Subject::DefaultServer`](crate::Subject::DefaultServer); `https://bsky.social` by default.
    ///
    /// ```
    /// use atproto_oauth_core::{Client, Origin, Scopes, Subject};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Client::loopback(Scopes::parse("atproto")?)
    ///     .default_server(Origin::parse("https://pds.example.com", false)?)
    ///     .build()?;
    /// let login = client.authorize(Subject::DefaultServer);
    /// # Ok(())
    /// # }
    /// ```
    pub fn default_server(self, server: Origin) -> Self {
        Self { default_server: server, ..self }
    }

    /// Checks the settings against the rules of the atproto OAuth profile, without any request.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the first broken rule, or with an option of another kind of client.
    pub fn build(self) -> Result<Client, Error> {
        if let Some(option) = self.misplaced {
            return Err(ConfigError::Misplaced(option).into());
        }
        if let Err(why) = Origin::parse_canonical(self.default_server.as_str(), self.development) {
            return Err(ConfigError::DefaultServer { server: self.default_server, why }.into());
        }
        let (published, redirect_uris) = match self.kind {
            Kind::Loopback { redirect_path } => {
                let redirect_uris = loopback::redirect_uris(&redirect_path)?;
                let client_id = loopback::client_id(&redirect_uris, &self.scopes);
                (Published::new(client_id, ApplicationType::Native), redirect_uris)
            }
            Kind::GivenLoopback { client_id, redirect_uris } => {
                (Published::new(client_id, ApplicationType::Native), redirect_uris)
            }
            Kind::Published(published) => {
                let redirect_uris = published.check()?;
                (*published, redirect_uris)
            }
        };
        let resolver = if self.development { self.resolver.development() } else { self.resolver };
        Ok(Client(Arc::new(Config {
            client_id: published.client_id,
            application_type: published.application_type,
            redirect_uris,
            keys: published.keys.into_iter().chain(published.retired_keys).collect(),
            revoked_kids: published.revoked_kids,
            upgrades_public_sessions: published.upgrades_public_sessions,
            jwks_uri: published.jwks_uri,
            description: published.description,
            scopes: self.scopes,
            resolver,
            nonce_policy: self.nonce_policy,
            resource_metadata_fallback: self.resource_metadata_fallback,
            development: self.development,
            default_server: self.default_server,
        })))
    }

    fn with_published(mut self, name: &'static str, change: impl FnOnce(&mut Published)) -> Self {
        match &mut self.kind {
            Kind::Published(published) => change(published),
            Kind::Loopback { .. } | Kind::GivenLoopback { .. } => self.misplace(name),
        }
        self
    }

    fn misplace(&mut self, option: &'static str) {
        self.misplaced.get_or_insert(option);
    }
}

impl Published {
    fn new(client_id: String, application_type: ApplicationType) -> Self {
        Self {
            client_id,
            application_type,
            redirect_uris: Vec::new(),
            keys: Vec::new(),
            retired_keys: Vec::new(),
            revoked_kids: Vec::new(),
            upgrades_public_sessions: false,
            jwks_uri: None,
            description: Description::default(),
        }
    }

    /// Checks all settings, and returns the redirect URIs.
    fn check(&self) -> Result<Vec<RedirectUri>, ConfigError> {
        let client_id = id::parse(&self.client_id)?;
        if self.redirect_uris.is_empty() {
            return Err(ConfigError::NoRedirectUri);
        }
        let application_type = self.application_type;
        let declarer = Declarer::Published { client_id: Some(&client_id), application_type };
        let mut redirect_uris = Vec::new();
        for text in &self.redirect_uris {
            redirect_uris.push(redirect_uri::parse(text, declarer)?);
        }
        self.check_keys()?;
        self.description.check(&client_id)?;
        other_members::check(&self.description)?;
        Ok(redirect_uris)
    }

    fn check_keys(&self) -> Result<(), ConfigError> {
        let has_keys = !self.keys.is_empty() || !self.retired_keys.is_empty();
        if self.application_type == ApplicationType::Native && has_keys {
            return Err(ConfigError::NativeConfidential);
        }
        if self.keys.is_empty() && has_keys {
            return Err(ConfigError::NoActiveKey);
        }
        let mut kids = BTreeSet::new();
        for key in self.keys.iter().chain(&self.retired_keys) {
            check_kid(key.kid(), &mut kids)?;
            if key.jwk().alg() != "ES256" {
                return Err(ConfigError::KeyCurve(printable(key.kid())));
            }
            if self.revoked_kids.iter().any(|kid| kid == key.kid()) {
                return Err(ConfigError::RevokedKey(printable(key.kid())));
            }
        }
        match &self.jwks_uri {
            Some(uri) if self.keys.is_empty() => {
                let why = "the client has no keys to serve there: add one with `key`, or remove it";
                Err(description::refused("jwks_uri", uri, why))
            }
            Some(uri) => {
                let broken = description::check_page("jwks_uri", uri);
                description::refuse("jwks_uri", uri, broken)
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use atproto_dpop::P256Keys;
    use atproto_sansio::SystemEntropy;

    use super::*;

    #[test]
    fn an_option_of_another_kind_of_client_is_an_error() {
        let scopes = || Scopes::parse("atproto").unwrap();
        let uri = "https://app.client.dev/callback";
        let web = || Client::web("https://app.client.dev/client.json", scopes()).redirect_uri(uri);
        let loopback = || Client::loopback(scopes());
        let given = || ClientBuilder::from_loopback_client_id("http://localhost").unwrap();
        let key = ClientKey::generate(&P256Keys, &mut SystemEntropy).unwrap();
        assert!(web().build().is_ok());
        for (builder, option) in [
            (web().redirect_path("/callback"), "redirect_path"),
            (given().redirect_path("/callback"), "redirect_path"),
            (loopback().redirect_uri(uri), "redirect_uri"),
            (given().redirect_uri(uri), "redirect_uri"),
            (loopback().key(key.clone()), "key"),
            (given().key(key), "key"),
            (loopback().jwks_uri(Url::parse(uri).unwrap()), "jwks_uri"),
            (loopback().description(Description::default()), "description"),
        ] {
            let error = builder.build().unwrap_err();
            let expected = Error::from(ConfigError::Misplaced(option));
            assert_eq!(error.to_string(), expected.to_string());
        }
    }

    #[cfg(feature = "es256k")]
    #[test]
    fn a_client_key_is_never_of_secp256k1() {
        // Rule F-14; the generator of the curve is a valid public key.
        let public = r#"{"kty":"EC","crv":"secp256k1",
            "x":"eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g",
            "y":"SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg"}"#;
        let key = ClientKey::remote("safe", serde_json::from_str(public).unwrap()).with_kid("k1");
        let client =
            Client::web("https://app.client.dev/c.json", Scopes::parse("atproto").unwrap());
        let client = client.redirect_uri("https://app.client.dev/callback").key(key);
        let refused = client.build().map(drop).unwrap_err();
        assert_eq!(refused, ConfigError::KeyCurve("k1".to_owned()).into());
    }

    #[test]
    fn a_client_with_a_given_loopback_client_id_keeps_its_spelling() {
        // Rules C-45, C-46
        for client_id in ["http://localhost", "http://localhost/?scope=atproto%20a:b"] {
            let client = ClientBuilder::from_loopback_client_id(client_id).unwrap().build();
            assert_eq!(client.unwrap().client_id(), client_id);
        }
    }

    #[test]
    fn the_default_server_is_bluesky_unless_the_client_names_another() {
        // Rule B-59
        let client = || Client::loopback(Scopes::parse("atproto").unwrap());
        let default = client().build().unwrap();
        assert_eq!(default.default_server().as_str(), "https://bsky.social");
        let local = Origin::parse("http://localhost:2583", true).unwrap();
        let error = client().default_server(local.clone()).build().unwrap_err().to_string();
        assert!(error.contains(local.as_str()), "{error}");
        assert!(error.contains("`ClientBuilder::development`"), "{error}");
        let own = client().default_server(local.clone()).development().build().unwrap();
        assert_eq!(own.default_server(), &local);
    }
}
