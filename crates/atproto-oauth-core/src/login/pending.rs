//! The stored half of a login, from the pushed authorization request until the browser's callback.

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
use crate::client::redirect_uri::RedirectUri;
use crate::discovery::server::ServerMetadata;
use crate::error::{Error, InputError};
use crate::login::prompt::{Prompt, ResponseMode};
use crate::origin::Origin;
use crate::scope::Scopes;
use crate::stored::{self, Version};

/// Time from the start of a login after which its callback is rejected.
pub(crate) const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// A login that waits for the browser's callback: store it under its [`state`](Self::state), and
/// take it out of the store before it is used, because it is single-use.
///
/// Bind the login to the browser that begins it: before the redirect, set a cookie with the `state`
/// in it, and accept a callback only from a browser with that cookie. An attacker who begins a
/// login could otherwise send the callback to a victim, whose browser would then use the attacker's
/// account.
///
/// A pending login is secret, because it holds the DPoP private key and the PKCE verifier; its
/// `Debug` output has neither. A callback later than [`expires_at`](Self::expires_at) is rejected.
#[derive(Clone, Deserialize, Serialize)]
pub struct Pending {
    pub(crate) version: Version<1>,
    pub(crate) state: String,
    pub(crate) client_id: String,
    pub(crate) auth: AuthMethod,
    pub(crate) server: ServerMetadata,
    pub(crate) redirect_uri: RedirectUri,
    pub(crate) scopes: Scopes,
    /// [`Subject`](crate::Subject) of the login, as text.
    pub(crate) subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prompt: Option<Prompt>,
    /// The `response_mode` that the login agreed on; `None` in a value that an older version stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) response_mode: Option<ResponseMode>,
    /// Account that must sign in; `None` if the login began with a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<Did>,
    /// Handle that the login began with; the account's DID document claims it.
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
    /// Members that a later version of this crate added, kept so that storing loses none.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

impl Pending {
    /// Parses JSON that [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// [`InputError::Stored`] if the JSON is malformed; [`InputError::UnsupportedVersion`] if its
    /// format version is another one; [`InputError::Es256kDisabled`] if its DPoP key needs the
    /// feature `es256k`. No error quotes the JSON.
    pub fn from_json(json: &str) -> Result<Self, InputError> {
        stored::from_json::<_, 1>("pending login", json)
    }

    /// Serializes the pending login, secrets included, so that another process can finish it.
    ///
    /// # Errors
    ///
    /// [`InputError::Stored`] if the private key can't be exported from its crypto backend.
    pub fn to_json(&self) -> Result<SecretString, InputError> {
        stored::to_json("pending login", self)
    }

    /// The `state` parameter of the authorization request: 128 random bits in base64url. The
    /// callback repeats the `state`, so it is the key of the pending login in a store.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// The `client_id` that the login was begun with. Only a client with this `client_id` can finish
    /// the login.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Handle, DID or server URL that the login began with, in normalized spelling.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Authorization server that the login was sent to; its callback must name the same issuer.
    pub fn issuer(&self) -> &Origin {
        &self.server.issuer
    }

    /// DID that must sign in; `None` if the login began with a server, so that any account may.
    pub fn expected(&self) -> Option<&Did> {
        self.expected.as_ref()
    }

    /// Requested scopes; the granted ones are in [`Session::scopes`](crate::Session::scopes).
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// The `prompt` parameter of the authorization request. If a login with [`Prompt::None`] is
    /// denied, the caller may begin another login without a prompt.
    pub fn prompt(&self) -> Option<Prompt> {
        self.prompt
    }

    /// The application's text from [`Authorize::app_state`](crate::Authorize::app_state).
    pub fn app_state(&self) -> Option<&str> {
        self.app_state.as_deref()
    }

    /// URL that the authorization server redirects the browser to; the callback must arrive there.
    pub fn redirect_uri(&self) -> &Url {
        self.redirect_uri.url()
    }

    /// Ten minutes after the authorization request was made: later callbacks are rejected.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }
}

impl Pending {
    /// Client authentication by the key that the login was begun with.
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
