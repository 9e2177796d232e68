//! A granted login, as a value.

pub(crate) mod refresh;
pub(crate) mod request;
pub(crate) mod revoke;

use std::fmt;
use std::time::Duration;

use atproto_dpop::{AccessToken, DpopKey};
use atproto_identity::{Did, Handle};
use atproto_sansio::{SecretString, UnixTime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::client::auth::{AuthMethod, ClientAuth};
use crate::client::config::Config;
use crate::error::{Error, InputError};
use crate::origin::Origin;
use crate::scope::Scopes;
use crate::stored::{self, Version};

/// A granted login: an account, the server that holds it, and the tokens and key to act on it.
///
/// It is a value: a refresh makes another one, and the old one is spent. It is a secret too;
/// `Debug` shows neither tokens nor key. Its JSON keeps members that a later version added.
///
/// Read it with [`from_json`](Self::from_json): the errors of a general deserializer may quote what
/// they could not read.
#[derive(Clone, Deserialize, Serialize)]
pub struct Session {
    pub(crate) version: Version<1>,
    pub(crate) session_id: String,
    pub(crate) did: Did,
    /// The handle that the login was begun with, verified then: for display.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handle: Option<Handle>,
    pub(crate) client_id: String,
    pub(crate) auth: AuthMethod,
    pub(crate) issuer: Origin,
    pub(crate) pds: Origin,
    pub(crate) scopes: Scopes,
    #[serde(with = "stored::access_token")]
    pub(crate) access_token: AccessToken,
    #[serde(default, with = "stored::optional_secret", skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<SecretString>,
    #[serde(default, with = "stored::optional_unix_time", skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<UnixTime>,
    pub(crate) dpop_key: DpopKey,
    /// For logging out when the server's metadata can't be had; refreshing always asks anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revocation_endpoint: Option<Url>,
    #[serde(with = "stored::unix_time")]
    pub(crate) created_at: UnixTime,
    #[serde(with = "stored::unix_time")]
    pub(crate) updated_at: UnixTime,
    #[serde(with = "stored::unix_time")]
    pub(crate) last_verified_at: UnixTime,
    /// What a later version added.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// An access token that expires sooner is refreshed before it is used.
const LEEWAY: Duration = Duration::from_secs(30);

impl Session {
    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// It can't be read, or is of a later version.
    pub fn from_json(json: &str) -> Result<Self, InputError> {
        stored::from_json::<_, 1>("session", json)
    }

    /// Writes it down.
    ///
    /// # Errors
    ///
    /// Its key can't leave its backend.
    pub fn to_json(&self) -> Result<SecretString, InputError> {
        stored::to_json("session", self)
    }

    /// The account.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Tells this session from others of the same account.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// The handle that the login was begun with: for display, and perhaps out of date.
    pub fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    /// The `client_id` that the session was made for.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The authorization server that issued the tokens.
    pub fn issuer(&self) -> &Origin {
        &self.issuer
    }

    /// The server that holds the account: the one that requests go to.
    pub fn pds(&self) -> &Origin {
        &self.pds
    }

    /// What was granted, which may be more, less or other than what was asked for.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// When the access token expires, if the server said so.
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    /// When the login was finished.
    pub fn created_at(&self) -> UnixTime {
        self.created_at
    }

    /// When the tokens were issued.
    pub fn updated_at(&self) -> UnixTime {
        self.updated_at
    }

    /// The access token, for those who make requests themselves.
    pub fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    /// The key that the tokens are bound to.
    pub fn dpop_key(&self) -> &DpopKey {
        &self.dpop_key
    }

    /// When it was last made sure that the issuer may speak for the account.
    pub fn last_verified_at(&self) -> UnixTime {
        self.last_verified_at
    }

    /// The refresh token, for those who keep it elsewhere.
    pub fn refresh_token(&self) -> Option<&SecretString> {
        self.refresh_token.as_ref()
    }

    /// Whether there is a refresh token.
    pub fn can_refresh(&self) -> bool {
        self.refresh_token.is_some()
    }

    /// Whether the access token has expired.
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// Whether the access token has expired, or is about to.
    pub fn needs_refresh(&self, now: UnixTime) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at < now + LEEWAY)
    }
}

impl Session {
    /// Who asks, as the session was begun.
    pub(crate) fn client_auth(&self, config: &Config) -> Result<ClientAuth, Error> {
        config.auth(&self.client_id, &self.auth, &self.issuer, &self.dpop_key)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("did", &self.did)
            .field("session_id", &self.session_id)
            .field("issuer", &self.issuer)
            .field("pds", &self.pds)
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .field("dpop_key", &self.dpop_key)
            .finish_non_exhaustive()
    }
}
