//! Builds and checks a [`Client`].

use std::collections::BTreeSet;
use std::sync::Arc;

use atproto_identity::Resolver;
use url::Url;

use crate::client::Client;
use crate::client::config::{Config, NoncePolicy};
use crate::client::description::Description;
use crate::client::id;
use crate::client::key::ClientKey;
use crate::client::loopback;
use crate::client::redirect_uri::{self, ApplicationType};
use crate::error::{ConfigError, Error};
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
    /// First option that was set although this kind of client does not have it.
    misplaced: Option<&'static str>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A loopback client, whose `client_id` contains its metadata as query parameters.
    Loopback { redirect_path: String },
    /// A client whose `client_id` is the URL of its metadata document.
    Published(Box<Published>),
}

#[derive(Clone, Debug)]
struct Published {
    client_id: String,
    application_type: ApplicationType,
    redirect_uris: Vec<Url>,
    keys: Vec<ClientKey>,
    jwks_uri: Option<Url>,
    description: Description,
}

impl ClientBuilder {
    pub(crate) fn loopback(scopes: Scopes) -> Self {
        Self::new(Kind::Loopback { redirect_path: "/".to_owned() }, scopes)
    }

    pub(crate) fn published(client_id: String, kind: ApplicationType, scopes: Scopes) -> Self {
        let published = Published {
            client_id,
            application_type: kind,
            redirect_uris: Vec::new(),
            keys: Vec::new(),
            jwks_uri: None,
            description: Description::default(),
        };
        Self::new(Kind::Published(Box::new(published)), scopes)
    }

    fn new(kind: Kind, scopes: Scopes) -> Self {
        Self {
            kind,
            scopes,
            resolver: Resolver::new(),
            nonce_policy: NoncePolicy::default(),
            resource_metadata_fallback: false,
            development: false,
            misplaced: None,
        }
    }

    /// Rebuilds the settings of a loopback client from its `client_id`, for example from
    /// [`Session::client_id`](crate::Session::client_id) of a stored session.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ClientId`] if `client_id` is not exactly a `client_id` that
    /// [`build`](Self::build) makes for a loopback client; [`ConfigError::RedirectUri`] or
    /// [`InputError::Scopes`](crate::InputError::Scopes) if its path or scopes are malformed.
    pub fn from_loopback_client_id(client_id: &str) -> Result<Self, Error> {
        let (path, scopes) = loopback::parse_client_id(client_id)?;
        Ok(Self::new(Kind::Loopback { redirect_path: path }, scopes))
    }

    /// Path of the redirect URIs of a loopback client; `/` by default.
    pub fn redirect_path(mut self, path: impl Into<String>) -> Self {
        match &mut self.kind {
            Kind::Loopback { redirect_path } => *redirect_path = path.into(),
            Kind::Published(_) => self.misplace("redirect_path"),
        }
        self
    }

    /// Adds a redirect URI of a web or native client. Logins use the first one, unless
    /// [`Authorize::redirect_uri`](crate::Authorize::redirect_uri) chooses another.
    pub fn redirect_uri(self, uri: Url) -> Self {
        self.with_published("redirect_uri", |published| published.redirect_uris.push(uri))
    }

    /// Adds a key to a web client, which makes it a confidential client.
    ///
    /// New sessions use the first key. To rotate keys, put the new key first, and keep the others
    /// as long as sessions exist that were begun with them.
    pub fn key(self, key: ClientKey) -> Self {
        self.with_published("key", |published| published.keys.push(key))
    }

    /// Https URL at which a confidential client serves its [`jwks`](Client::jwks). The metadata
    /// document then names this URL instead of containing the keys, so that keys are rotated
    /// without a change of the metadata document.
    pub fn jwks_uri(self, uri: Url) -> Self {
        self.with_published("jwks_uri", |published| published.jwks_uri = Some(uri))
    }

    /// Name and web pages of a web or native client, which the authorization server shows on its
    /// consent page.
    pub fn description(self, description: Description) -> Self {
        self.with_published("description", |published| published.description = description)
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

    /// Checks the settings against the rules of the atproto OAuth profile, without any request.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the first broken rule, or with an option of another kind of client.
    pub fn build(self) -> Result<Client, Error> {
        if let Some(option) = self.misplaced {
            return Err(ConfigError::Misplaced(option).into());
        }
        let published = match self.kind {
            Kind::Loopback { redirect_path } => {
                let redirect_uris = loopback::redirect_uris(&redirect_path)?;
                Published {
                    client_id: loopback::client_id(&redirect_uris, &self.scopes),
                    application_type: ApplicationType::Native,
                    redirect_uris,
                    keys: Vec::new(),
                    jwks_uri: None,
                    description: Description::default(),
                }
            }
            Kind::Published(published) => {
                published.check()?;
                *published
            }
        };
        let resolver = if self.development { self.resolver.development() } else { self.resolver };
        Ok(Client(Arc::new(Config {
            client_id: published.client_id,
            application_type: published.application_type,
            redirect_uris: published.redirect_uris,
            keys: published.keys,
            jwks_uri: published.jwks_uri,
            description: published.description,
            scopes: self.scopes,
            resolver,
            nonce_policy: self.nonce_policy,
            resource_metadata_fallback: self.resource_metadata_fallback,
            development: self.development,
        })))
    }

    fn with_published(mut self, name: &'static str, change: impl FnOnce(&mut Published)) -> Self {
        match &mut self.kind {
            Kind::Published(published) => change(published),
            Kind::Loopback { .. } => self.misplace(name),
        }
        self
    }

    fn misplace(&mut self, option: &'static str) {
        self.misplaced.get_or_insert(option);
    }
}

impl Published {
    fn check(&self) -> Result<(), ConfigError> {
        let client_id = id::parse(&self.client_id)?;
        if self.redirect_uris.is_empty() {
            return Err(ConfigError::NoRedirectUri);
        }
        for uri in &self.redirect_uris {
            redirect_uri::check(uri, &client_id, self.application_type)?;
        }
        if self.application_type == ApplicationType::Native && !self.keys.is_empty() {
            return Err(ConfigError::NativeConfidential);
        }
        let mut kids = BTreeSet::new();
        match self.keys.iter().find(|key| !kids.insert(key.kid())) {
            Some(key) => Err(ConfigError::SameKid(key.kid().to_owned())),
            None if self.jwks_uri.as_ref().is_some_and(|uri| uri.scheme() != "https") => {
                Err(ConfigError::Page { name: "jwks_uri", why: "it must be an https URL" })
            }
            None => self.description.check(&client_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_of_another_kind_of_client_is_an_error() {
        let scopes = || Scopes::parse("atproto").unwrap();
        let uri = || Url::parse("https://app.client.dev/callback").unwrap();
        let web =
            || Client::web("https://app.client.dev/client.json", scopes()).redirect_uri(uri());
        assert!(web().build().is_ok());
        for (builder, option) in [
            (web().redirect_path("/callback"), "redirect_path"),
            (Client::loopback(scopes()).redirect_uri(uri()), "redirect_uri"),
            (Client::loopback(scopes()).description(Description::default()), "description"),
        ] {
            let error = builder.build().unwrap_err();
            let expected = Error::from(ConfigError::Misplaced(option));
            assert_eq!(error.to_string(), expected.to_string());
        }
    }
}
