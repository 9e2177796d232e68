//! [`Did`]: the permanent identifier of an account.
//!
//! The parser checks the syntax that all DID methods share, and keeps every byte, because DIDs are
//! compared byte for byte. [`Did::check`] checks whether AT Protocol allows the DID.
//!
//! atproto DID, «AT Protocol DID Identifier Syntax».

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::syntax::did_method::{DidMethod, check_method};

/// The permanent identifier of an account: a DID of any method, compared byte for byte.
///
/// ```
/// use atproto_identity::{Did, DidMethod};
///
/// let did = Did::parse("did:plc:z72i7hdynmk6r22z27h6tvur")?;
/// assert_eq!(did.check(false), Ok(DidMethod::Plc));
/// # Ok::<(), atproto_identity::DidError>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Did(String);

/// Error of a text that is not a DID, or of a DID that AT Protocol does not allow.
///
/// If an allowed DID can't be resolved, the error is an [`IdentityError`](crate::IdentityError).
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum DidError {
    /// The text is not a DID. The string is the rule that it breaks.
    #[error("not a DID: {0}")]
    Syntax(&'static str),
    /// AT Protocol does not use the method of the DID. The string is the name of the method.
    #[error("AT Protocol uses did:plc and did:web, not did:{0}")]
    UnsupportedMethod(String),
    /// AT Protocol uses the method, but the DID breaks a rule of the method.
    #[error("not a did:{method} that AT Protocol allows: {reason}")]
    Method {
        /// `plc` or `web`.
        method: &'static str,
        /// The rule that the DID breaks.
        reason: &'static str,
    },
}

impl Did {
    /// Parses a DID of any method. The syntax is the one that all methods share.
    pub fn parse(text: &str) -> Result<Self, DidError> {
        match broken_rule(text) {
            Some(rule) => Err(DidError::Syntax(rule)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Checks that AT Protocol allows the DID, and returns its method.
    ///
    /// `did:web:localhost` (with or without a port) and `.test` hosts are allowed with
    /// `development` only.
    pub fn check(&self, development: bool) -> Result<DidMethod, DidError> {
        check_method(self, development)
    }

    /// The DID, byte for byte.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the method, and the identifier after it.
    pub(crate) fn parts(&self) -> (&str, &str) {
        self.0.strip_prefix(SCHEME).and_then(|rest| rest.split_once(':')).unwrap_or_default()
    }
}

/// Returns the first rule of the generic DID syntax that `text` breaks.
fn broken_rule(text: &str) -> Option<&'static str> {
    let Some((method, rest)) = text.strip_prefix(SCHEME).and_then(|rest| rest.split_once(':'))
    else {
        return Some("it must have the form did:method:identifier");
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._:%-".contains(c);
    if method.is_empty() || !method.bytes().all(|c| c.is_ascii_lowercase()) {
        return Some("its method must have only lower-case letters");
    }
    if rest.is_empty() {
        return Some("its identifier is empty");
    }
    if !rest.chars().all(allowed) {
        return Some("its identifier must have only letters, digits, and . _ : % -");
    }
    if rest.ends_with([':', '%']) {
        return Some("its identifier can't end with a colon or a percent sign");
    }
    (text.len() > MAX_LENGTH).then_some("it must have at most 2048 characters")
}

impl FromStr for Did {
    type Err = DidError;

    fn from_str(text: &str) -> Result<Self, DidError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Did {
    type Error = DidError;

    fn try_from(text: &str) -> Result<Self, DidError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Did {
    type Error = DidError;

    fn try_from(text: String) -> Result<Self, DidError> {
        Self::parse(&text)
    }
}

impl From<Did> for String {
    fn from(did: Did) -> Self {
        did.0
    }
}

impl AsRef<str> for Did {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const SCHEME: &str = "did:";
const MAX_LENGTH: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_the_same_syntax() {
        // Rule A-20
        let longest = format!("did:web:{}", "a".repeat(2040));
        assert_eq!(longest.len(), 2048);
        let valid = [
            "did:plc:z72i7hdynmk6r22z27h6tvur",
            "did:plc:short",
            "did:web:blueskyweb.xyz",
            "did:web:localhost%3A1234",
            "did:web:Example.com",
            "did:web:example.com:u:alice",
            "did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N",
            "did:method:val",
            "did:method:VAL",
            "did:method:val123",
            "did:method:123",
            "did:method:val-two",
            "did:method:val_two",
            "did:method:val.two",
            "did:method:val:two",
            "did:method:val%BB",
            "did:method:val%bb",
            "did:method:vAl",
            "did:m:v",
            "did:method::::val",
            "did:method:-",
            "did:method:-:_:.:%ab",
            "did:method:.",
            "did:method:_",
            "did:method::.",
            "did:onion:2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid",
            "did:example:123456789abcdefghi",
            "did:ethr:0xb9c5714089478a327f09197987f16f9e5d936e8a",
            "did:did:did",
            "did:a:0",
            "did:abcdefghijklmnopqrstuvwxyz:a",
            longest.as_str(),
        ];
        assert!(valid.len() >= 30);
        for text in valid {
            assert_eq!(Did::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn anything_else_is_no_did() {
        let too_long = format!("did:web:{}", "a".repeat(2041));
        let invalid = [
            "",
            "did",
            "did:",
            "did::",
            "did:method",
            "did:method:",
            "did::val",
            "did:METHOD:val",
            "did:mEthod:val",
            "did:m123:val",
            "did:m-m:val",
            "DID:method:val",
            "Did:method:val",
            "xdid:method:val",
            " did:method:val",
            "did:method:val ",
            "did:method:val\n",
            "did:method:val\0",
            "did:method:val:",
            "did:method:val%",
            "did:method:%",
            "did:method:val/two",
            "did:method:val?two",
            "did:method:val#two",
            "did:method:val@two",
            "did:method:val two",
            "did:method:v\u{e4}l",
            "did:m\u{e4}thod:val",
            "did:method:val;x",
            "did:method:val&x",
            "did:method:(val)",
            "at://did:method:val",
            "method:did:val",
            "alice.com",
            too_long.as_str(),
        ];
        assert!(invalid.len() >= 30);
        for text in invalid {
            assert!(matches!(Did::parse(text), Err(DidError::Syntax(_))), "{text:?}");
        }
    }

    #[test]
    fn serde_sees_a_checked_string() {
        let text = r#""did:web:Example.com""#;
        let did: Did = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&did).unwrap(), text);
        assert!(serde_json::from_str::<Did>(r#""DID:web:a.com""#).is_err());
    }
}
