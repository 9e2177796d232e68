//! Lists of scopes, which servers compare as strings. The meaning of a scope is in
//! [`permission`](crate::permission).
//!
//! RFC 6749 section 3.3; atproto OAuth, «Authorization Scopes».

mod grant;
pub(crate) mod lint;

use std::collections::BTreeSet;
use std::fmt;

use atproto_sansio::printable;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A list of distinct scopes with `atproto` among them, in the order in which they were given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scopes(Vec<String>);

/// The rule that a text breaks, so that it is not a list of scopes.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ScopeError {
    /// The text is empty, begins or ends with a space, or has two spaces in a row.
    #[error("scopes must be separated by single spaces, and there must be at least one")]
    Empty,
    /// The scope named here has a character outside of printable ASCII, or `"` or `\`.
    #[error("the scope `{0}` has a forbidden character (RFC 6749 section 3.3)")]
    Character(String),
    /// The scope named here occurs twice.
    #[error("the scope `{0}` occurs twice")]
    Duplicate(String),
    /// The scope `atproto` is missing, which the atproto OAuth profile requires.
    #[error("`atproto` must be one of the scopes")]
    NoAtproto,
    /// The scope named here is one of OpenID Connect, which the atproto OAuth profile does not use.
    /// The account of a login is [`Session::did`](crate::Session::did), and its address is asked
    /// for with the scope `account:email`.
    #[error(
        "the scope `{0}` is of OpenID Connect, which AT Protocol does not use: remove it (the \
         account is in the session without it, and `account:email` asks for its address)"
    )]
    OpenId(&'static str),
}

impl Scopes {
    /// Parses the scopes that a client declares or requests, separated by single spaces.
    ///
    /// A scope that no server knows, such as a misspelt one, is no error, because services define scopes
    /// of their own: [`lint`](Self::lint) finds it.
    ///
    /// ```
    /// use atproto_oauth_core::{ScopeError, Scopes};
    ///
    /// assert!(Scopes::parse("atproto transition:generic").is_ok());
    /// assert_eq!(Scopes::parse("transition:generic"), Err(ScopeError::NoAtproto));
    ///
    /// let misspelt = "atproto transition:generc";
    /// assert!(Scopes::parse(misspelt).is_ok() && !Scopes::lint(misspelt).is_empty());
    /// ```
    ///
    /// # Errors
    ///
    /// [`ScopeError::NoAtproto`] if `atproto` is missing, [`ScopeError::OpenId`] for a scope of
    /// OpenID Connect, another [`ScopeError`] if the list is malformed.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let scopes = Self::well_formed(text)?;
        match OPENID.into_iter().find(|scope| scopes.contains(scope)) {
            Some(scope) => Err(ScopeError::OpenId(scope)),
            None => Ok(scopes),
        }
    }

    /// Parses a list of which a server decides the content: it may have scopes that this client
    /// does not request.
    fn well_formed(text: &str) -> Result<Self, ScopeError> {
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

    /// Parses the scopes that an authorization server granted. Duplicates and additional white
    /// space are accepted and removed.
    pub(crate) fn granted(text: &str) -> Result<Self, ScopeError> {
        let mut seen = BTreeSet::new();
        let tokens: Vec<_> =
            text.split_ascii_whitespace().filter(|token| seen.insert(*token)).collect();
        Self::well_formed(&tokens.join(" "))
    }

    /// Whether the list has exactly this scope, in the same spelling; see [`allows`](Self::allows).
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|own| own == token)
    }

    /// Returns the first scope of this list that `others` lacks, or `None`.
    pub fn missing_from(&self, others: &Self) -> Option<&str> {
        self.0.iter().map(String::as_str).find(|token| !others.contains(token))
    }

    /// Iterates over the scopes, in the order in which they were given.
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
        Self::well_formed(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Scopes of OpenID Connect Core sections 3.1.2.1, 5.4 and 11.
const OPENID: [&str; 6] = ["openid", "profile", "email", "address", "phone", "offline_access"];

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
    fn scopes_of_openid_connect_are_refused_by_name_unless_a_server_grants_them() {
        // Rules C-13, D-75
        for scope in OPENID {
            let text = format!("atproto {scope} transition:generic");
            let error = Scopes::parse(&text).unwrap_err();
            assert_eq!(error, ScopeError::OpenId(scope));
            assert!(error.to_string().contains(scope) && error.to_string().contains("remove"));
            let granted = Scopes::granted(&text).unwrap();
            let stored = serde_json::to_string(&granted).unwrap();
            assert_eq!(serde_json::from_str::<Scopes>(&stored).unwrap(), granted);
        }
        assert!(Scopes::parse("atproto account:email openid:x").is_ok());
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
