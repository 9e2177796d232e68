//! [`Identifier`]: a handle or a DID.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::syntax::clean::clean;
use crate::syntax::did::{Did, DidError};
use crate::syntax::handle::{Handle, HandleError};

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
    /// The text contains `://`.
    #[error("this is a URL; give a handle such as alice.bsky.social, or a DID")]
    Url,
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
            return Err(IdentifierError::Url);
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
        assert_eq!(Identifier::from_user_input("https://pds.com"), Err(IdentifierError::Url));
        assert!(matches!("did:plc".parse::<Identifier>(), Err(IdentifierError::Did(_))));
        assert!(matches!("DID:PLC:A".parse::<Identifier>(), Err(IdentifierError::Handle(_))));
        assert_eq!(
            Identifier::from_user_input("handle.invalid"),
            Err(HandleError::Placeholder.into())
        );
    }
}
