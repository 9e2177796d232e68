//! The key of a session: the account and the login.

use std::fmt;
use std::str::FromStr;

use atproto_identity::Did;

use crate::error::InputError;
use crate::session::Session;

/// Identifies one stored session: DID of the account and id of the login.
///
/// A program keeps the key in its own session or cookie, as text: `<did>/<session_id>`. The key is not
/// a credential.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionKey {
    did: Did,
    session_id: String,
}

impl SessionKey {
    /// The key of `session`.
    pub fn of(session: &Session) -> Self {
        Self { did: session.did().clone(), session_id: session.session_id().to_owned() }
    }

    /// DID of the account.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Id of the login.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// Key of the record in a store.
    pub(crate) fn record(&self) -> String {
        format!("{SESSIONS}{self}")
    }

    /// The session key of a record's key; `None` if the record is no session.
    pub(crate) fn of_record(key: &str) -> Option<Self> {
        key.strip_prefix(SESSIONS)?.parse().ok()
    }

    /// Prefix of the records of one account, or of all accounts.
    pub(crate) fn prefix(did: Option<&Did>) -> String {
        did.map_or_else(|| SESSIONS.to_owned(), |did| format!("{SESSIONS}{did}/"))
    }
}

/// Key of the record of the pending login with this `state`.
pub(crate) fn of_login(state: &str) -> String {
    format!("{LOGINS}{state}")
}

/// Reads what [`Display`](fmt::Display) writes.
impl FromStr for SessionKey {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        let parts = text.split_once('/').and_then(|(did, session_id)| {
            let is_id = |id: &str| {
                !id.is_empty()
                    && id.len() <= 64
                    && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            };
            Some((Did::parse(did).ok()?, Some(session_id).filter(|id| is_id(id))?))
        });
        let (did, session_id) = parts.ok_or(InputError::SessionKey)?;
        Ok(Self { did, session_id: session_id.to_owned() })
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.did, self.session_id)
    }
}

/// Prefix of the keys of all session records.
pub(crate) const SESSIONS: &str = "session/";

/// Prefix of the keys of all pending logins.
pub(crate) const LOGINS: &str = "state/";
