//! Who wants to log in, as people write it.
//!
//! atproto OAuth, «Identity Authentication».

use std::fmt;
use std::str::FromStr;

use atproto_identity::Identifier;
use atproto_sansio::{printable, visible};

use crate::error::InputError;
use crate::origin::Origin;

/// Who wants to log in: an account, or whoever has one on a server.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no other way to begin a login")]
pub enum Subject {
    /// One account, by its handle or DID.
    Account(Identifier),
    /// The account that its user picks at a server: a PDS or an authorization server.
    Server(Origin),
}

impl Subject {
    /// Reads what a person typed. A bare host name is a handle; a server has `https://` before it.
    ///
    /// ```
    /// use atproto_oauth_core::Subject;
    ///
    /// assert!(matches!(Subject::parse(" @Alice.Example.com "), Ok(Subject::Account(_))));
    /// assert!(matches!(Subject::parse("https://bsky.social/"), Ok(Subject::Server(_))));
    /// ```
    ///
    /// # Errors
    ///
    /// It is none of the three: why, in words for the person who typed it.
    pub fn parse(input: &str) -> Result<Self, InputError> {
        let visible = visible(input);
        let text = visible.trim();
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let unreadable = |why| InputError::Subject { input: printable(text), why };
        if matches!(scheme.as_deref(), Some("https" | "http")) {
            // Whether plain http is allowed is decided by the client, when it reaches out.
            return Origin::parse(text, true)
                .map(Self::Server)
                .map_err(|why| InputError::Server { input: printable(text), why });
        }
        Identifier::from_user_input(text)
            .map(Self::Account)
            .map_err(|error| unreadable(error.to_string()))
    }

    /// The same, as the server is told whom to expect; a server-first login expects nobody.
    pub(crate) fn login_hint(&self) -> Option<&str> {
        match self {
            Self::Account(identifier) => Some(identifier.as_str()),
            Self::Server(_) => None,
        }
    }
}

impl From<Identifier> for Subject {
    fn from(identifier: Identifier) -> Self {
        Self::Account(identifier)
    }
}

impl From<Origin> for Subject {
    fn from(server: Origin) -> Self {
        Self::Server(server)
    }
}

impl FromStr for Subject {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        Self::parse(text)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(identifier) => identifier.fmt(f),
            Self::Server(origin) => origin.fmt(f),
        }
    }
}
