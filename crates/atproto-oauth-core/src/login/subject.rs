//! The start of a login as a person types it: a handle, a DID or the URL of a server.
//!
//! atproto OAuth, «Identity Authentication».

use std::fmt;
use std::str::FromStr;

use atproto_identity::{Identifier, IdentifierError};
use atproto_sansio::{printable, visible};

use crate::error::InputError;
use crate::origin::Origin;

/// The start of a login: one account, or a server at which the user chooses the account.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a login begins with an account or a server")]
pub enum Subject {
    /// One account, by its handle or DID.
    Account(Identifier),
    /// The origin of a PDS or of an authorization server; the user chooses the account there.
    Server(Origin),
}

impl Subject {
    /// Parses a person's input: a host name such as `alice.example.com` is a handle, a text with
    /// `https://` is a server.
    ///
    /// Surrounding spaces, invisible characters and the `@` of a handle are removed.
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
    /// [`InputError::Server`] if an http(s) URL is not the origin of a server;
    /// [`InputError::Subject`] if any other input is neither a handle nor a DID. Both messages are
    /// written for the person who typed the input.
    pub fn parse(input: &str) -> Result<Self, InputError> {
        let text = &*visible(input);
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let unreadable = |why| InputError::Subject { input: printable(text), why };
        if matches!(scheme.as_deref(), Some("https" | "http")) {
            // An http URL of a development host is accepted here; without
            // `ClientBuilder::development`, the requests to that host fail.
            return Origin::parse(text, true).map(Self::Server).map_err(|why| {
                match Identifier::from_user_input(text) {
                    // The page of an account: the message names its handle.
                    Err(error @ IdentifierError::Url { seen: Some(_) }) => {
                        unreadable(error.to_string())
                    }
                    Ok(_) | Err(_) => InputError::Server { input: printable(text), why },
                }
            });
        }
        Identifier::from_user_input(text)
            .map(Self::Account)
            .map_err(|error| unreadable(error.to_string()))
    }

    /// The `login_hint` parameter; `None` for a login that begins with a server.
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
