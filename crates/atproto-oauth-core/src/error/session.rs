//! Why a session cannot be used, and how it ended.

use std::fmt;
use std::time::Duration;

use atproto_sansio::StoreError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The session does not fit the client, can't be refreshed, or is not in the store.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum SessionError {
    /// The authorization server issued no refresh token, so the session ends with its access token.
    #[error("the session has no refresh token; log in again")]
    NoRefreshToken,
    /// The client has no key with both the `kid` and the thumbprint of the key that the session was
    /// begun with. Add that key with [`ClientBuilder::key`](crate::ClientBuilder::key), because the
    /// authorization server ends a session whose client authenticates with another key.
    #[error(
        "the client has no key {kid} with the thumbprint {jkt}, which the session was begun with: \
         add it with `ClientBuilder::key`, or log in again"
    )]
    NoSuchKey {
        /// `kid` of the key.
        kid: String,
        /// JWK thumbprint of the key (RFC 7638).
        jkt: String,
    },
    /// The key that the session was begun with is revoked
    /// ([`ClientBuilder::revoked_key`](crate::ClientBuilder::revoked_key)). Nothing was sent.
    #[error(
        "the key {kid} of the client, which the session was begun with, is revoked; log in again"
    )]
    KeyRevoked {
        /// `kid` of the key.
        kid: String,
    },
    /// The session's DPoP key is also a [`ClientKey`](crate::ClientKey) of the client, although the
    /// two must differ. Give the client a key that no session uses.
    #[error(
        "the session's DPoP key is also a key of the client: give the client a key that no session \
         uses"
    )]
    SharedKey,
    /// The session or pending login was made by a client with another `client_id`. Use that client,
    /// or log in again.
    #[error("the session was made for another client_id; use that client, or log in again")]
    OtherClient,
    /// The store has no session under this key. It was never stored, or it has ended.
    #[error("there is no such session: it has ended, or the store is another one; log in again")]
    NotFound,
    /// The record under this key is the session of another account or login. Somebody has moved
    /// records in the store.
    #[error("the store has another session under this key: restore the store, or log in again")]
    OtherSession,
    /// The session was logged out.
    #[error("the session was logged out; log in again")]
    LoggedOut,
    /// The store has this session already, with other tokens. The stored ones are newer, or the session
    /// was logged out.
    #[error("the store has this session already, with other tokens: use that, or log it out first")]
    AlreadyStored,
    /// The tokens of a session that was handed over are not those in the store, or a process is renewing
    /// them. Nothing was removed; hand over the session as it is now.
    #[error(
        "another process renews the session, or ended while it did: renew it, and hand it over as it is then"
    )]
    Renewed,
    /// The session has ended while it was used, and its record is deleted.
    #[error("the session has ended, because {0}; log in again")]
    Ended(DeletedCause),
    /// The session can't be renewed. Its record is kept, and a later refresh may succeed.
    #[error("{0}; log in again")]
    NeedsReauth(ReauthCause),
    /// A refresh has failed a moment ago. The next one may begin after this time.
    #[error("the session could not be renewed a moment ago: try again in {} s", .after.as_secs() + 1)]
    RetryLater {
        /// Time until the next refresh may begin.
        after: Duration,
    },
    /// The server has refused the access token again, after a refresh. Log in again.
    #[error("the server refuses the new access token, too; log in again")]
    TokenRefused,
    /// The session has new tokens, and the store could not save them. After a refresh, the process
    /// keeps them, and goes on trying. After a login, they are revoked.
    #[error("the new tokens of the session could not be saved: {0}")]
    NotSaved(StoreError),
}

/// Why the user has to log in again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReauthCause {
    /// The account's PDS names another authorization server.
    AccountMigrated,
    /// The server refuses the refresh token again and again, with an error that no specification
    /// defines.
    Refused,
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DeletedCause {
    /// The user logged out, or a later login replaced the session.
    LoggedOut,
    /// The server ended the session: the user or the server revoked it, or it was not used for too
    /// long.
    Revoked,
    /// The response with the new tokens was lost: a connection broke, or a process ended between
    /// spending the old token and storing the new one.
    RotationResponseLost,
    /// The record came from a backup, and its refresh token was spent since.
    RestoredFromBackup,
    /// The server issued tokens that must not be used, such as those of another account.
    TokensRejected,
    /// The access token has expired, and there is no refresh token.
    Expired,
}

impl SessionError {
    /// Whether the user has to log in again. It is false if the session can still be used: at another
    /// time, or after a mistake of the program is corrected.
    pub fn needs_login(&self) -> bool {
        match self {
            Self::NoRefreshToken
            | Self::KeyRevoked { .. }
            | Self::OtherClient
            | Self::NotFound
            | Self::OtherSession
            | Self::LoggedOut
            | Self::Ended(_)
            | Self::NeedsReauth(_)
            | Self::TokenRefused => true,
            Self::NoSuchKey { .. }
            | Self::SharedKey
            | Self::AlreadyStored
            | Self::Renewed
            | Self::RetryLater { .. }
            | Self::NotSaved(_) => false,
        }
    }
}

impl fmt::Display for ReauthCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccountMigrated => "the account has moved to another authorization server",
            Self::Refused => "the authorization server refuses to renew the session",
        })
    }
}

impl fmt::Display for DeletedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoggedOut => "it was logged out",
            Self::Revoked => "the authorization server ended it",
            Self::RotationResponseLost => "the response with its new tokens was lost",
            Self::RestoredFromBackup => {
                "it was restored from a backup, and its tokens were spent since"
            }
            Self::TokensRejected => "the server issued tokens that must not be used",
            Self::Expired => "its tokens have expired",
        })
    }
}
