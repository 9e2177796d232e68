//! [`Identifier`]: a handle or a DID.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::syntax::clean::clean;
use crate::syntax::did::{Did, DidError};
use crate::syntax::handle::{Handle, HandleError};
use crate::syntax::pasted;

/// A handle or a DID, as the identifier of an account.
///
/// ```
/// use atproto_identity::Identifier;
///
/// let typed = Identifier::from_user_input("@Alice.Example.com")?;
/// assert_eq!(typed.to_string(), "alice.example.com");
/// # Ok::<(), atproto_identity::IdentifierError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "the specification defines no other identifier")]
pub enum Identifier {
    /// A handle, which can change.
    Handle(Handle),
    /// A DID, which is permanent.
    Did(Did),
}

/// Error of a text that is neither a handle nor a DID.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum IdentifierError {
    /// The text contains `://`, or has a path like a URL.
    #[error("this is a URL; give {}", wanted(seen.as_deref()))]
    Url {
        /// The handle or DID that the URL contains, if it is the page of an account.
        seen: Option<Box<Identifier>>,
    },
    /// The text is the address of a server, without a scheme. The string is its URL.
    #[error("this looks like a server and not like a handle; a server is given as {0}")]
    Server(String),
    /// The text begins with `did:` and is not a DID.
    #[error(transparent)]
    Did(#[from] DidError),
    /// The text is neither a URL nor begins with `did:`, and is not a handle.
    #[error(transparent)]
    Handle(#[from] HandleError),
}

impl Identifier {
    /// Parses a handle or DID that a person typed or pasted.
    ///
    /// The text is cleaned as in [`Handle::from_user_input`]. A `did:plc` in upper case is
    /// accepted.
    pub fn from_user_input(input: &str) -> Result<Self, IdentifierError> {
        let text = clean(input);
        if let Some(seen) = pasted::account_in(&text) {
            return Err(IdentifierError::Url { seen: Some(Box::new(seen)) });
        }
        if let Some(url) = pasted::server_in(&text) {
            return Err(IdentifierError::Server(url));
        }
        let lower = text.to_ascii_lowercase();
        // A `did:web` keeps its case, because the `id` of its document must equal it byte for byte.
        let text = if lower.starts_with("did:plc:") { lower } else { text };
        match text.parse()? {
            Self::Handle(handle) if handle.is_placeholder() => Err(HandleError::Placeholder.into()),
            identifier => Ok(identifier),
        }
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Handle(handle) => handle.as_str(),
            Self::Did(did) => did.as_str(),
        }
    }
}

impl FromStr for Identifier {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        if text.starts_with("did:") {
            return Ok(Self::Did(text.parse()?));
        }
        if text.contains("://") {
            return Err(IdentifierError::Url { seen: None });
        }
        Ok(Self::Handle(text.parse()?))
    }
}

impl TryFrom<&str> for Identifier {
    type Error = IdentifierError;

    fn try_from(text: &str) -> Result<Self, IdentifierError> {
        text.parse()
    }
}

impl From<Handle> for Identifier {
    fn from(handle: Handle) -> Self {
        Self::Handle(handle)
    }
}

impl From<Did> for Identifier {
    fn from(did: Did) -> Self {
        Self::Did(did)
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn wanted(seen: Option<&Identifier>) -> String {
    match seen {
        Some(seen) => format!("only {seen}, which it contains"),
        None => "a handle such as alice.bsky.social, or a DID".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_the_input_decides_between_handle_did_and_url() {
        // Rules A-10, A-25
        let plc = "did:plc:z72i7hdynmk6r22z27h6tvur";
        for (input, text) in [
            (" @Alice.com ", "alice.com"),
            ("at://alice.com", "alice.com"),
            (plc, plc),
            ("at://did:plc:z72i7hdynmk6r22z27h6tvur", plc),
            ("DID:PLC:Z72I7HDYNMK6R22Z27H6TVUR", plc),
            ("did:web:Example.com", "did:web:Example.com"),
        ] {
            assert_eq!(Identifier::from_user_input(input).unwrap().as_str(), text);
        }
        let url = Err(IdentifierError::Url { seen: None });
        assert_eq!(Identifier::from_user_input("https://pds.com"), url);
        assert!(matches!("did:plc".parse::<Identifier>(), Err(IdentifierError::Did(_))));
        assert!(matches!("DID:PLC:A".parse::<Identifier>(), Err(IdentifierError::Handle(_))));
        assert_eq!(
            Identifier::from_user_input("handle.invalid"),
            Err(HandleError::Placeholder.into())
        );
    }
    #[test]
    fn a_pasted_page_names_its_account_and_a_server_its_url() {
        // Rule A-10
        let plc = "did:plc:z72i7hdynmk6r22z27h6tvur";
        for (input, part) in [
            ("https://bsky.app/profile/Alice.Example.com", "only alice.example.com, which"),
            ("https://bsky.app/profile/alice.com/post/3k", "only alice.com, which"),
            ("bsky.app/profile/@alice.com?x#y", "only alice.com, which"),
            ("https://bsky.app/profile/did:plc:z72i7hdynmk6r22z27h6tvur", plc),
            ("https://example.com/@alice.com", "only alice.com, which"),
            ("at://alice.com/app.bsky.feed.post/3k", "only alice.com, which"),
            ("at://did:plc:z72i7hdynmk6r22z27h6tvur/x", plc),
            ("https://bsky.app/profile/index", "a handle such as"),
            ("https://alice.com/index.html", "a handle such as"),
            ("PDS.Example.com:3000", "https://pds.example.com:3000"),
            ("pds.example.com/", "https://pds.example.com"),
            ("localhost:2583", "http://localhost:2583"),
            ("127.0.0.1:2583", "http://127.0.0.1:2583"),
            ("localhost", "http://localhost"),
        ] {
            let error = Identifier::from_user_input(input).unwrap_err().to_string();
            assert!(error.contains(part), "{input}: {error}");
        }
        for input in ["alice.com", "did:web:alice.com", "did:web:localhost%3A1"] {
            assert!(Identifier::from_user_input(input).is_ok(), "{input}");
        }
        for input in ["ali\nce.com", "alice.com:80\n/", "a b/", "alice", "test", ":80", "/"] {
            let error = Identifier::from_user_input(input).unwrap_err();
            let recognized =
                matches!(error, IdentifierError::Url { .. } | IdentifierError::Server(_));
            assert!(!recognized, "{input}: {error}");
        }
    }
}
