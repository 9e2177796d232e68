//! Scopes as a list of tokens. What a token permits is not looked at here.
//!
//! RFC 6749 section 3.3; atproto OAuth, «Authorization Scopes».

use std::collections::BTreeSet;
use std::fmt;

use atproto_sansio::printable;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A list of scope tokens that are not repeated, in their order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scopes(Vec<String>);

/// Why a text is not a list of scopes.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ScopeError {
    /// There is an empty token: no scope at all, or more than one space in a row.
    #[error("scopes are separated by single spaces, and there is at least one")]
    Empty,
    /// A token has a character that none may have.
    #[error("`{0}` has a character that a scope may not have")]
    Character(String),
    /// A token is there twice.
    #[error("`{0}` is there twice")]
    Duplicate(String),
    /// `atproto` is missing.
    #[error("`atproto` must be one of the scopes")]
    NoAtproto,
}

impl Scopes {
    /// Reads the scopes that a client asks for: `atproto` must be one of them.
    ///
    /// ```
    /// use atproto_oauth_core::{ScopeError, Scopes};
    ///
    /// assert!(Scopes::parse("atproto transition:generic").is_ok());
    /// assert_eq!(Scopes::parse("transition:generic"), Err(ScopeError::NoAtproto));
    /// ```
    ///
    /// # Errors
    ///
    /// It is not a list of scopes, or `atproto` is not among them.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut seen = BTreeSet::new();
        for token in text.split(' ') {
            if token.is_empty() {
                return Err(ScopeError::Empty);
            }
            if !token.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                return Err(ScopeError::Character(printable(token)));
            }
            if !seen.insert(token) {
                return Err(ScopeError::Duplicate(printable(token)));
            }
        }
        let scopes = Self(text.split(' ').map(str::to_owned).collect());
        if scopes.contains("atproto") { Ok(scopes) } else { Err(ScopeError::NoAtproto) }
    }

    /// Reads the scopes that a server granted: it may repeat them and space them out.
    pub(crate) fn granted(text: &str) -> Result<Self, ScopeError> {
        let mut seen = BTreeSet::new();
        let tokens: Vec<_> =
            text.split_ascii_whitespace().filter(|token| seen.insert(*token)).collect();
        Self::parse(&tokens.join(" "))
    }

    /// Whether `token` is one of them, to the letter.
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|own| own == token)
    }

    /// The first of these that is not among `others`.
    pub fn missing_from(&self, others: &Self) -> Option<&str> {
        self.0.iter().map(String::as_str).find(|token| !others.contains(token))
    }

    /// The tokens.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_whole_tokens() {
        // Rules C-13, I-01
        assert_eq!(Scopes::parse("notatproto atprotox"), Err(ScopeError::NoAtproto));
        assert_eq!(Scopes::parse(""), Err(ScopeError::Empty));
        for text in [" atproto", "atproto ", "atproto  a"] {
            assert_eq!(Scopes::parse(text), Err(ScopeError::Empty), "{text:?}");
        }
        for text in ["atproto a\"b", "atproto a\\b", "atproto \u{e9}", "atproto a\tb"] {
            assert!(matches!(Scopes::parse(text), Err(ScopeError::Character(_))), "{text:?}");
        }
        let twice = Scopes::parse("atproto a atproto");
        assert_eq!(twice, Err(ScopeError::Duplicate("atproto".to_owned())));
        assert_eq!(Scopes::granted(" a  atproto a").unwrap().to_string(), "a atproto");
    }

    #[test]
    fn a_request_is_compared_with_a_declaration_token_by_token() {
        let declared =
            Scopes::parse("atproto repo:a.b.c?action=create transition:generic").unwrap();
        let asked = Scopes::parse("transition:generic atproto").unwrap();
        assert_eq!(asked.missing_from(&declared), None);
        let asked = Scopes::parse("atproto repo:a.b.c").unwrap();
        assert_eq!(asked.missing_from(&declared), Some("repo:a.b.c"));
    }
}
