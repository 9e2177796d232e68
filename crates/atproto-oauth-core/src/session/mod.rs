//! The session value: account, tokens and DPoP key of a finished login, to be stored as JSON.

pub(crate) mod adopt;
pub(crate) mod foreign;
pub(crate) mod refresh;
pub(crate) mod request;
pub(crate) mod revoke;
pub(crate) mod spend;

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

/// Account, PDS, tokens and DPoP key of a finished login: authorizes requests to the account's PDS.
///
/// A session is a value: [`Client::refresh`](crate::Client::refresh) returns a new session, and the
/// refresh token of the old session is spent. A session is secret; its `Debug` output has neither
/// tokens nor private key. Its JSON keeps members that a later version of this crate added.
///
/// Parse stored sessions with [`from_json`](Self::from_json), because the errors of a general
/// deserializer may quote the secrets that it failed to read.
#[derive(Clone, Deserialize, Serialize)]
pub struct Session {
    pub(crate) version: Version<1>,
    pub(crate) session_id: String,
    pub(crate) did: Did,
    /// Handle of the account, verified during the login: for display only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handle: Option<Handle>,
    #[serde(default, with = "stored::optional_unix_time", skip_serializing_if = "Option::is_none")]
    pub(crate) handle_verified_at: Option<UnixTime>,
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
    /// Fallback of [`Revoke`](crate::Revoke) if the fetch of the server metadata fails. A refresh
    /// fetches the metadata each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revocation_endpoint: Option<Url>,
    #[serde(with = "stored::unix_time")]
    pub(crate) created_at: UnixTime,
    #[serde(with = "stored::unix_time")]
    pub(crate) updated_at: UnixTime,
    #[serde(with = "stored::unix_time")]
    pub(crate) last_verified_at: UnixTime,
    /// A refusal that does not tell whether the refresh token was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Refused>,
    /// Members that a later version of this crate added, kept so that storing loses none.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// A refusal of a refresh with an error code that no specification defines: the refresh token may
/// be dead. Another such refusal, some time later, means that it is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Refused {
    /// The `error` of the response.
    pub(crate) error: String,
    #[serde(with = "stored::unix_time")]
    pub(crate) at: UnixTime,
}

/// Remaining lifetime of an access token below which [`Session::needs_refresh`] is true.
const LEEWAY: Duration = Duration::from_secs(30);

impl Session {
    /// Parses JSON that [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// [`InputError::Stored`] if the JSON is malformed; [`InputError::UnsupportedVersion`] if its
    /// format version is another one; [`InputError::Es256kDisabled`] if its DPoP key needs the
    /// feature `es256k`. No error quotes the JSON.
    pub fn from_json(json: &str) -> Result<Self, InputError> {
        stored::from_json::<_, 1>("session", json)
    }

    /// Serializes the session, tokens and private key included.
    ///
    /// # Errors
    ///
    /// [`InputError::Stored`] if the private key can't be exported from its crypto backend.
    pub fn to_json(&self) -> Result<SecretString, InputError> {
        stored::to_json("session", self)
    }

    /// DID of the account that signed in.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Random id of this login, unique per account; not a secret, not a credential.
    ///
    /// DID and session id are the key of a session: use both to store and to find it, because one
    /// account can have several sessions. A refresh keeps the session id.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// Handle of the account: its DID document claims the handle, and the handle leads to the DID.
    /// `None` if the account has no such handle, or if the session was adopted from
    /// [`Credentials`](crate::Credentials); services then show [`Handle::PLACEHOLDER`].
    ///
    /// The handle is for display only, because it may have changed since
    /// [`handle_verified_at`](Self::handle_verified_at).
    pub fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    /// Time at which the [`handle`](Self::handle) was verified, during the login.
    pub fn handle_verified_at(&self) -> Option<UnixTime> {
        self.handle_verified_at
    }

    /// The `client_id` that the tokens were issued to.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// How the client authenticates for this session: in the way in which it was begun.
    pub fn auth_method(&self) -> &AuthMethod {
        &self.auth
    }

    /// The authorization server that issued the tokens.
    pub fn issuer(&self) -> &Origin {
        &self.issuer
    }

    /// PDS of the account: the server that [`Client::request`](crate::Client::request) sends to.
    pub fn pds(&self) -> &Origin {
        &self.pds
    }

    /// Granted scopes: more, fewer or other scopes than the login requested.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Expiry of the access token; `None` if the token response had no usable `expires_in`.
    ///
    /// An `expires_in` of more than 24 hours counts as one hour.
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    /// Time of the end of the login, or of its adoption from [`Credentials`](crate::Credentials); a
    /// refresh does not change it.
    pub fn created_at(&self) -> UnixTime {
        self.created_at
    }

    /// Time of the tokens: end of the login, or token request of the latest refresh.
    pub fn updated_at(&self) -> UnixTime {
        self.updated_at
    }

    /// The access token, for callers that make their own requests and proofs.
    pub fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    /// DPoP key that the tokens are bound to.
    pub fn dpop_key(&self) -> &DpopKey {
        &self.dpop_key
    }

    /// Time of the latest check that the account's PDS names [`issuer`](Self::issuer).
    ///
    /// The login and each refresh do this check.
    pub fn last_verified_at(&self) -> UnixTime {
        self.last_verified_at
    }

    /// The refresh token, for callers that store it apart from the session. It is single-use.
    pub fn refresh_token(&self) -> Option<&SecretString> {
        self.refresh_token.as_ref()
    }

    /// Whether the session has a refresh token; without one, the user must log in again.
    pub fn can_refresh(&self) -> bool {
        self.refresh_token.is_some()
    }

    /// Whether the access token has expired at `now`; false if its expiry is not known.
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// Whether the access token has less than 30 s left at `now`; false if its expiry is not known.
    ///
    /// The leeway of 30 s lets a request with this token arrive before the token expires.
    pub fn needs_refresh(&self, now: UnixTime) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at < now + LEEWAY)
    }
}

impl Session {
    /// Client authentication by the key that the session was begun with, or by the first key of a
    /// client that had none.
    pub(crate) fn client_auth(&self, config: &Config) -> Result<ClientAuth, Error> {
        let method = config.present_method(&self.auth);
        config.auth(&self.client_id, &method, &self.issuer, &self.dpop_key)
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
