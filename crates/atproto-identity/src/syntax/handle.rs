//! [`Handle`]: the name of an account for people, a hostname in lower case.
//!
//! A parsed handle is not verified: it must be resolved, and the DID document must claim it. The
//! permanent identifier of an account is its [`Did`](crate::Did).
//!
//! atproto Handle, «Handle Identifier Syntax».

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::syntax::clean::clean;
use crate::syntax::hostname;

/// The name of an account, as a hostname in lower case.
///
/// ```
/// use atproto_identity::Handle;
///
/// let handle: Handle = "Alice.Example.com".parse()?;
/// assert_eq!(handle.as_str(), "alice.example.com");
/// # Ok::<(), atproto_identity::HandleError>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Handle(String);

/// Error of a text that is not a handle: the rule that it breaks.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum HandleError {
    /// The text is empty.
    #[error("a handle can't be empty")]
    Empty,
    /// The text has a character other than ASCII letters, digits, hyphens and dots.
    #[error("a handle has only letters, digits, hyphens and dots, not {0:?}")]
    Character(char),
    /// The text has more than 253 characters.
    #[error("a handle has at most 253 characters, not {0}")]
    TooLong(usize),
    /// A label is empty: the text begins or ends with a dot, or has two dots in a row.
    #[error("a handle can't begin or end with a dot, or have two dots in a row")]
    EmptyLabel,
    /// A label has more than 63 characters.
    #[error("each part of a handle between two dots has at most 63 characters")]
    LabelTooLong,
    /// A label begins or ends with a hyphen.
    #[error("no part of a handle begins or ends with a hyphen")]
    Hyphen,
    /// The text has no dot, for example a user name or the first part of a handle.
    #[error("a handle is a whole domain name with a dot, such as alice.bsky.social")]
    OneLabel,
    /// The last label begins with a digit, as in an IP address.
    #[error("the last part of a handle can't begin with a digit")]
    Digit,
    /// The text is `handle.invalid`, the placeholder for a missing handle.
    #[error("handle.invalid stands for a missing handle, so nobody can log in with it")]
    Placeholder,
}

impl Handle {
    /// The name that services show for an account without a verified handle.
    pub const PLACEHOLDER: &str = "handle.invalid";

    /// Parses a handle that a person typed or pasted.
    ///
    /// White space around the text, one leading `@`, a leading `at://`, and invisible characters
    /// are removed. Handles in data must not have them: for data, use [`str::parse`]. The
    /// placeholder `handle.invalid` is rejected.
    ///
    /// ```
    /// use atproto_identity::Handle;
    ///
    /// let handle = Handle::from_user_input(" @Alice.Example.com\u{200b} ")?;
    /// assert_eq!(handle.as_str(), "alice.example.com");
    /// # Ok::<(), atproto_identity::HandleError>(())
    /// ```
    pub fn from_user_input(input: &str) -> Result<Self, HandleError> {
        let handle: Self = clean(input).parse()?;
        if handle.is_placeholder() {
            return Err(HandleError::Placeholder);
        }
        Ok(handle)
    }

    /// The handle, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the handle is `handle.invalid`.
    pub fn is_placeholder(&self) -> bool {
        self.0 == Self::PLACEHOLDER
    }
}

impl FromStr for Handle {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        hostname::check(text)?;
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl TryFrom<&str> for Handle {
    type Error = HandleError;

    fn try_from(text: &str) -> Result<Self, HandleError> {
        text.parse()
    }
}

impl TryFrom<String> for Handle {
    type Error = HandleError;

    fn try_from(text: String) -> Result<Self, HandleError> {
        text.parse()
    }
}

impl From<Handle> for String {
    fn from(handle: Handle) -> Self {
        handle.0
    }
}

impl AsRef<str> for Handle {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A label of `length` characters.
    fn label(length: usize) -> String {
        "a".repeat(length)
    }

    #[test]
    fn hostnames_of_two_labels_or_more_are_handles() {
        // Rule A-01
        let long = format!("{0}.{0}.{0}.{1}", label(63), label(61));
        assert_eq!(long.len(), 253);
        let valid = [
            "a.co",
            "8.cn",
            "0.a",
            "alice.com",
            "ALICE.COM",
            "alice.bsky.social",
            "alice-bob.com",
            "a-b-c.d-e-f.com",
            "a--b.com",
            "xn--ls8h.com",
            "xn--notarealidn.com",
            "xn--fiqa61au8b7zsevnm8ak20mc4a87e.xn--fiqs8s",
            "john.t--t",
            "example.t",
            "XX.LCS.MIT.EDU",
            "4chan.org",
            "12345.test",
            "a1.b2.c3",
            "1.2.3.a4",
            "0a.0b.c",
            "laptop.local",
            "blah.arpa",
            "alice.onion",
            "alice.example",
            "handle.invalid",
            "alice.test",
            "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z",
            "thing.a01234",
            "x.co-op",
            "com.com",
            long.as_str(),
            &format!("{}.com", label(63)),
            &format!("a.{}", label(63)),
        ];
        assert!(valid.len() >= 30);
        for text in valid {
            let handle: Handle = text.parse().unwrap();
            assert_eq!(handle.as_str(), text.to_ascii_lowercase());
        }
    }

    #[test]
    fn the_error_names_the_broken_rule_of_a_handle() {
        // Rules A-01, A-02, A-03, A-07
        use HandleError::{
            Character, Digit, Empty, EmptyLabel, Hyphen, LabelTooLong, OneLabel, TooLong,
        };
        let long = format!("{0}.{0}.{0}.{1}", label(63), label(62));
        let long_label = format!("{}.com", label(64));
        let long_last = format!("a.{}", label(64));
        let invalid = [
            ("", Empty),
            ("com", OneLabel),
            ("localhost", OneLabel),
            (".", EmptyLabel),
            ("..", EmptyLabel),
            (".alice.com", EmptyLabel),
            ("alice.com.", EmptyLabel),
            ("alice..com", EmptyLabel),
            ("-alice.com", Hyphen),
            ("alice-.com", Hyphen),
            ("alice.-com", Hyphen),
            ("alice.com-", Hyphen),
            ("xn--bcher-.tld", Hyphen),
            ("john.0", Digit),
            ("cn.8", Digit),
            ("alice.1com", Digit),
            ("127.0.0.1", Digit),
            ("@alice.com", Character('@')),
            ("jo@hn.test", Character('@')),
            ("at://alice.com", Character(':')),
            ("alice.com:443", Character(':')),
            ("::1", Character(':')),
            ("[::1]", Character('[')),
            ("alice_bob.com", Character('_')),
            ("alice.com/", Character('/')),
            ("alice.com?x", Character('?')),
            ("alice.com#x", Character('#')),
            (" alice.com", Character(' ')),
            ("alice.com\n", Character('\n')),
            ("alice.com\0", Character('\0')),
            ("alice .com", Character(' ')),
            ("\u{1f4a9}.test", Character('\u{1f4a9}')),
            ("www.mase\u{142}kowski.pl.com", Character('\u{142}')),
            // The Kelvin sign folds to `k` under Unicode rules.
            ("\u{212a}ate.com", Character('\u{212a}')),
            ("alice\u{200b}.com", Character('\u{200b}')),
            ("alice\u{ff0e}com", Character('\u{ff0e}')),
            ("%61lice.com", Character('%')),
            (long.as_str(), TooLong(254)),
            (long_label.as_str(), LabelTooLong),
            (long_last.as_str(), LabelTooLong),
        ];
        assert!(invalid.len() >= 30);
        for (text, wrong) in invalid {
            assert_eq!(text.parse::<Handle>(), Err(wrong), "{text:?}");
        }
    }

    #[test]
    fn serde_sees_a_checked_string() {
        let handle: Handle = serde_json::from_str(r#""Alice.Com""#).unwrap();
        assert_eq!(serde_json::to_string(&handle).unwrap(), r#""alice.com""#);
        assert!(serde_json::from_str::<Handle>(r#""@alice.com""#).is_err());
    }

    #[test]
    fn the_placeholder_is_not_accepted_as_user_input() {
        // Rule A-06
        assert_eq!(Handle::from_user_input("@Handle.Invalid"), Err(HandleError::Placeholder));
        assert!("handle.invalid".parse::<Handle>().unwrap().is_placeholder());
    }
}
