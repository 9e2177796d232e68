//! Who wants to log in, as people write it.
//!
//! atproto OAuth, «Identity Authentication».

use std::fmt;
use std::str::FromStr;

use atproto_identity::{Did, Handle, Identifier};
use atproto_sansio::{printable, visible};

use crate::error::InputError;
use crate::origin::Origin;

/// Who wants to log in: an account, or whoever has one on a server.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no other way to begin a login")]
pub enum Subject {
    /// The account that owns a handle.
    Handle(Handle),
    /// The account with a DID.
    Did(Did),
    /// Whoever signs in at a server: a PDS or an authorization server.
    Server(Origin),
}

impl Subject {
    /// Reads what a person typed. A bare host name is a handle; a server has `https://` before it.
    ///
    /// ```
    /// use atproto_oauth_core::Subject;
    ///
    /// assert!(matches!(Subject::parse(" @Alice.Example.com "), Ok(Subject::Handle(_))));
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
        let identifier = Identifier::from_user_input(text);
        match identifier.map_err(|error| unreadable(error.to_string()))? {
            Identifier::Handle(handle) => Ok(Self::Handle(handle)),
            Identifier::Did(did) => Ok(Self::Did(did)),
        }
    }

    /// The same, as the server is told whom to expect; a server-first login expects nobody.
    pub(crate) fn login_hint(&self) -> Option<&str> {
        match self {
            Self::Handle(handle) => Some(handle.as_str()),
            Self::Did(did) => Some(did.as_str()),
            Self::Server(_) => None,
        }
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
            Self::Handle(handle) => handle.fmt(f),
            Self::Did(did) => did.fmt(f),
            Self::Server(origin) => origin.fmt(f),
        }
    }
}
