//! Events: what happened to a session, told to the program whoever waits for the result.

use std::sync::Arc;

use atproto_dpop::ClockOffset;
use atproto_sansio::StoreError;

use crate::error::{DeletedCause, EndpointName, Error, ReauthCause};
use crate::origin::Origin;
use crate::scope::Scopes;
use crate::session::Session;
use crate::session::revoke::Revocation;
use crate::sessions::key::SessionKey;

/// A change of a stored session. The driver hands it over as
/// [`Notice`](atproto_sansio::Notice) after the change is stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionEvent {
    /// The session.
    pub key: SessionKey,
    /// The change.
    pub change: SessionChange,
}

/// The kinds of [`SessionEvent`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SessionChange {
    /// A login has ended, and its session is stored.
    Created,
    /// The session has new tokens, and they are stored.
    Refreshed,
    /// A refresh was granted other scopes than before.
    ScopesChanged {
        /// The scopes before.
        before: Scopes,
        /// The scopes now.
        after: Scopes,
    },
    /// The account has moved to another PDS with the same authorization server.
    PdsChanged {
        /// The PDS before.
        before: Origin,
        /// The PDS now.
        after: Origin,
    },
    /// A refresh has failed. The session is kept.
    RefreshFailed(Error),
    /// The user has to log in again. The session is kept until then.
    NeedsReauth(ReauthCause),
    /// The session has ended, and its record is deleted.
    Deleted(DeletedCause),
    /// The session was logged out, and its record is deleted. If revocation failed, its tokens stay
    /// valid until they expire.
    LoggedOut(Result<Revocation, Error>),
    /// The session was logged out or has ended while it was renewed, so that its new tokens were
    /// revoked. If revocation failed, they stay valid until they expire.
    LateTokensRevoked(Result<Revocation, Error>),
    /// A successful response had no `DPoP-Nonce`, which atproto OAuth requires.
    NonceMissing(EndpointName),
    /// A server refused a request for its time, because its clock differs from the local clock. The
    /// request was sent again with the server's time.
    ClockSkew {
        /// The server.
        server: Origin,
        /// Difference of its clock.
        offset: ClockOffset,
    },
    /// New tokens could not be stored. They are the only usable ones: the process keeps them and goes
    /// on trying, and a program that can store them elsewhere does so.
    NotSaved(Unsaved),
}

/// Tokens that could not be stored, with the error of the store. `Debug` shows no token.
#[derive(Clone, Debug)]
pub struct Unsaved {
    /// The session with the new tokens.
    pub session: Arc<Session>,
    /// The error of the last attempt to store it.
    pub error: StoreError,
}

impl SessionEvent {
    pub(crate) fn new(key: &SessionKey, change: SessionChange) -> Self {
        Self { key: key.clone(), change }
    }
}

impl SessionChange {
    /// The changes of a refresh: from the session `old` to `new`, with the rule that the server broke.
    pub(crate) fn of_refresh(old: &Session, new: &Session, violation: Option<Error>) -> Vec<Self> {
        let mut changes = vec![Self::Refreshed];
        if old.scopes != new.scopes {
            let (before, after) = (old.scopes.clone(), new.scopes.clone());
            changes.push(Self::ScopesChanged { before, after });
        }
        if old.pds != new.pds {
            let (before, after) = (old.pds.clone(), new.pds.clone());
            changes.push(Self::PdsChanged { before, after });
        }
        if let Some(Error::NonceMissing(endpoint)) = violation {
            changes.push(Self::NonceMissing(endpoint));
        }
        changes
    }
}

/// Two are equal if they are of the same refresh.
impl PartialEq for Unsaved {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.session, &other.session) && self.error == other.error
    }
}
