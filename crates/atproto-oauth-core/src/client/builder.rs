//! A client in the making.

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

/// A client in the making: what kind it is was decided by the function that began it.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct ClientBuilder {
    kind: Kind,
    scopes: Scopes,
    resolver: Resolver,
    nonce_policy: NoncePolicy,
    resource_metadata_fallback: bool,
    development: bool,
    /// The first option that this kind of client does not have.
    misplaced: Option<&'static str>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Its `client_id` is its metadata.
    Loopback { redirect_path: String },
    /// Its `client_id` is where its metadata is.
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

    /// Reads a loopback `client_id` again, such as the one that a stored session names.
    ///
    /// # Errors
    ///
    /// It is not a loopback `client_id`, or one with other redirect URIs than
    /// [`build`](Self::build) makes.
    pub fn from_loopback_client_id(client_id: &str) -> Result<Self, Error> {
        let (path, scopes) = loopback::parse_client_id(client_id)?;
        Ok(Self::new(Kind::Loopback { redirect_path: path }, scopes))
    }

    /// The path of a loopback client's redirect URIs; `/` by default.
    pub fn redirect_path(mut self, path: impl Into<String>) -> Self {
        match &mut self.kind {
            Kind::Loopback { redirect_path } => *redirect_path = path.into(),
            Kind::Published(_) => self.misplace("redirect_path"),
        }
        self
    }

    /// A redirect URI of a client that publishes its metadata. The first is the one that logins
    /// use unless they say otherwise.
    pub fn redirect_uri(self, uri: Url) -> Self {
        self.with_published("redirect_uri", |published| published.redirect_uris.push(uri))
    }

    /// A key to authenticate with, which makes the client a confidential one.
    ///
    /// New sessions are begun with the first; the others stay for the sessions that were begun
    /// with them.
    pub fn key(self, key: ClientKey) -> Self {
        self.with_published("key", |published| published.keys.push(key))
    }

    /// URL at which the client serves its [`jwks`](Client::jwks), in place of the keys in the
    /// metadata document itself. Keys can then be rotated without a change of the document.
    pub fn jwks_uri(self, uri: Url) -> Self {
        self.with_published("jwks_uri", |published| published.jwks_uri = Some(uri))
    }

    /// What people read about the client when they are asked to consent.
    pub fn description(self, description: Description) -> Self {
        self.with_published("description", |published| published.description = description)
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
    /// The rule of the profile that the client would break.
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
