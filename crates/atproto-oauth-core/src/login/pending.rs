//! A login that waits for its browser.

use std::fmt;
use std::time::Duration;

use atproto_dpop::{DpopKey, NonceHint};
use atproto_identity::{Did, Handle};
use atproto_sansio::{SecretString, UnixTime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::client::auth::{AuthMethod, ClientAuth};
use crate::client::config::Config;
use crate::discovery::server::ServerMetadata;
use crate::error::{Error, InputError};
use crate::login::prompt::Prompt;
use crate::origin::Origin;
use crate::scope::Scopes;
use crate::stored::{self, Version};

/// How long a login waits for its browser.
pub(crate) const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// A login that waits for its browser: keep it under its [`state`](Self::state), use it once.
///
/// It holds the key and the verifier of the login, so it is a secret; `Debug` shows neither.
#[derive(Clone, Deserialize, Serialize)]
pub struct Pending {
    pub(crate) version: Version<1>,
    pub(crate) state: String,
    pub(crate) client_id: String,
    pub(crate) auth: AuthMethod,
    pub(crate) server: ServerMetadata,
    pub(crate) redirect_uri: Url,
    pub(crate) scopes: Scopes,
    /// Who was asked for, as the user wrote it.
    pub(crate) subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prompt: Option<Prompt>,
    /// The account that was asked for; a server-first login does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<Did>,
    /// The handle that was asked for, verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handle: Option<Handle>,
    #[serde(with = "stored::secret")]
    pub(crate) code_verifier: SecretString,
    pub(crate) dpop_key: DpopKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<NonceHint>,
    #[serde(with = "stored::unix_time")]
    pub(crate) created_at: UnixTime,
    #[serde(with = "stored::unix_time")]
    pub(crate) expires_at: UnixTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) app_state: Option<String>,
    /// What a later version added.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

impl Pending {
    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// It can't be read, or is of a later version.
    pub fn from_json(json: &str) -> Result<Self, InputError> {
        stored::from_json::<_, 1>("pending login", json)
    }

    /// Writes it down, to be kept until the browser comes back.
    ///
    /// # Errors
    ///
    /// Its key can't leave its backend.
    pub fn to_json(&self) -> Result<SecretString, InputError> {
        stored::to_json("pending login", self)
    }

    /// The `state` that the browser will bring back: unpredictable, and its name in a store.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Who was asked for: a handle, a DID or a server.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The authorization server that the login went to.
    pub fn issuer(&self) -> &Origin {
        &self.server.issuer
    }

    /// The account that was asked for, unless the login began at a server.
    pub fn expected(&self) -> Option<&Did> {
        self.expected.as_ref()
    }

    /// What was asked for.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// What the server was asked to ask the user for. A login with [`Prompt::None`] that is denied
    /// may be begun again without it.
    pub fn prompt(&self) -> Option<Prompt> {
        self.prompt
    }

    /// What the application wanted to have kept.
    pub fn app_state(&self) -> Option<&str> {
        self.app_state.as_deref()
    }

    /// The URL that the browser will come back to.
    pub fn redirect_uri(&self) -> &Url {
        &self.redirect_uri
    }

    /// When it stops waiting.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }
}

impl Pending {
    /// Who asks, as the login was begun.
    pub(crate) fn client_auth(&self, config: &Config) -> Result<ClientAuth, Error> {
        config.auth(&self.client_id, &self.auth, &self.server.issuer, &self.dpop_key)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("issuer", &self.server.issuer)
            .field("expected", &self.expected)
            .field("redirect_uri", &self.redirect_uri.as_str())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
