//! The start of a login as a person types it: a handle, a DID or the URL of a server.
//!
//! atproto OAuth, «Identity Authentication».

use std::fmt;
use std::str::FromStr;

use atproto_identity::{HandleError, Identifier, IdentifierError};
use atproto_sansio::visible;

use crate::error::InputError;
use crate::origin::{Origin, shown};

/// The start of a login: one account, or a server at which the user chooses the account.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a login begins with an account or a server")]
pub enum Subject {
    /// One account, by its handle or DID.
    Account(Identifier),
    /// The origin of a PDS or of an authorization server; the user chooses the account there.
    Server(Origin),
    /// The server that the client names for a login without an account
    /// ([`ClientBuilder::default_server`](crate::ClientBuilder::default_server)), by default
    /// `https://bsky.social`; the user chooses the account there. No input stands for it: a program
    /// offers it as a button of its own.
    DefaultServer,
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
    /// [`InputError::NoSubject`] if there is no input; [`InputError::Server`] if an http(s) URL is
    /// not the origin of a server; [`InputError::Subject`] if any other input is neither a handle
    /// nor a DID. The messages are written for the person who typed the input.
    pub fn parse(input: &str) -> Result<Self, InputError> {
        let error = match Identifier::from_user_input(input) {
            Ok(identifier) => return Ok(Self::Account(identifier)),
            Err(IdentifierError::Handle(HandleError::Empty)) => return Err(InputError::NoSubject),
            Err(error) => error,
        };
        let text = visible(input);
        let (scheme, _) = text.split_once("://").unwrap_or_default();
        let is_page = matches!(error, IdentifierError::Url { seen: Some(_) });
        if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") {
            // An http URL of a development host is accepted here; a login of a client without
            // `ClientBuilder::development` refuses it.
            match Origin::parse(&text, true) {
                Ok(server) => return Ok(Self::Server(server)),
                // The page of an account: the message names the account.
                Err(_) if is_page => {}
                Err(why) => return Err(InputError::Server { input: shown(&text), why }),
            }
        }
        Err(InputError::Subject { input: shown(&text), why: error.to_string() })
    }

    /// The `login_hint` parameter; `None` for a login that begins with a server.
    pub(crate) fn login_hint(&self) -> Option<&str> {
        match self {
            Self::Account(identifier) => Some(identifier.as_str()),
            Self::Server(_) | Self::DefaultServer => None,
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
            Self::DefaultServer => f.write_str("the default server"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(input: &str) -> String {
        Subject::parse(input).unwrap_err().to_string()
    }

    #[test]
    fn what_a_person_typed_is_a_handle_a_did_or_a_server() {
        // Rules A-07, A-10
        for (input, subject) in [
            (" @Alice.Example.com\u{200b}\n", "alice.example.com"),
            ("did:plc:z72i7hdynmk6r22z27h6tvur", "did:plc:z72i7hdynmk6r22z27h6tvur"),
            ("at://alice.example.com", "alice.example.com"),
            ("\u{200b} https://bsky.social/\n", "https://bsky.social"),
            ("HTTPS://PDS.example.com:8443", "https://pds.example.com:8443"),
            ("http://localhost:2583", "http://localhost:2583"),
        ] {
            assert_eq!(Subject::parse(input).unwrap().to_string(), subject, "{input:?}");
        }
    }

    #[test]
    fn a_control_character_is_never_removed_from_the_middle_of_an_input() {
        // Rules A-01, A-10
        for input in [
            "ali\nce.example.com",
            "alice\0.example.com",
            "did:plc:z72i7hdynmk6r22z27\nh6tvur",
            "https://pds.\nexample.com",
            "https://pds.\0example.com",
            "ht\ntps://pds.example.com",
        ] {
            assert!(Subject::parse(input).is_err(), "{input:?}");
            assert!(Identifier::from_user_input(input).is_err(), "{input:?}");
        }
    }

    #[test]
    fn no_input_is_an_error_that_names_the_alternatives() {
        // Rule B-59
        for input in ["", " \n", "@", "\u{200b}"] {
            assert_eq!(Subject::parse(input), Err(InputError::NoSubject), "{input:?}");
        }
        let error = InputError::NoSubject.to_string();
        assert!(error.contains("alice.bsky.social") && error.contains("DefaultServer"), "{error}");
    }

    #[test]
    fn the_error_of_an_input_names_the_value_and_the_way_out() {
        // Rule M-07
        let did = "did:plc:z72i7hdynmk6r22z27h6tvur";
        for (input, way_out) in [
            ("https://bsky.app/profile/alice.bsky.social", "alice.bsky.social, which it contains"),
            ("bsky.app/profile/alice.bsky.social?x", "alice.bsky.social, which it contains"),
            (
                &format!("https://bsky.app/profile/{did}/post/3k"),
                &format!("{did}, which it contains"),
            ),
            ("https://bsky.app/profile/@Alice.com", "alice.com, which it contains"),
            ("bsky.social/", "https://bsky.social"),
            ("pds.example.com:8443", "https://pds.example.com:8443"),
            ("localhost:2583", "http://localhost:2583"),
            ("http://bsky.social", "https://"),
            ("https://bsky.social/xrpc/a.b", "https://bsky.social"),
            ("alice", "alice.bsky.social"),
        ] {
            let error = refusal(input);
            assert!(error.contains(input) && error.contains(way_out), "{input}: {error}");
        }
    }

    #[test]
    fn an_input_error_does_not_repeat_a_password() {
        // Rule K-05
        for input in [
            "https://user:secret@pds.example.com",
            "https://user:secret@bsky.app/profile/alice.bsky.social",
            "https://user:sec/ret@pds.example.com",
            "user:secret@pds.example.com",
            "ftp://user:secret@pds.example.com",
            "did:web:user:secret@pds.example.com",
            "at://user:secret@pds.example.com",
        ] {
            let error = Subject::parse(input).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("sec"), "{input}: {error:?}");
        }
    }
}
