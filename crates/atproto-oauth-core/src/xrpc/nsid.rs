//! [`Nsid`]: the name of a method, a record type or a permission set.

use std::fmt;
use std::str::FromStr;

use crate::error::InputError;
use crate::origin::shown;

/// A namespaced identifier such as `com.atproto.repo.createRecord`: a domain authority in reverse order,
/// and a name.
///
/// atproto «Namespaced Identifiers (NSIDs)».
///
/// ```
/// use atproto_oauth_core::xrpc::Nsid;
///
/// let nsid = Nsid::parse("app.bsky.feed.post")?;
/// assert_eq!(nsid.group(), "app.bsky.feed.");
/// assert!(Nsid::parse("app.bsky.*").is_err());
/// # Ok::<(), atproto_oauth_core::InputError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Nsid(String);

impl Nsid {
    /// Parses an NSID.
    ///
    /// # Errors
    ///
    /// [`InputError::Nsid`] if `text` is not an NSID.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        if is_nsid(text) { Ok(Self(text.to_owned())) } else { Err(InputError::Nsid(shown(text))) }
    }

    /// The NSID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The group that the NSID belongs to: everything up to its last dot, with the dot.
    pub fn group(&self) -> &str {
        self.0.rfind('.').and_then(|dot| self.0.get(..=dot)).unwrap_or_default()
    }
}

impl FromStr for Nsid {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        Self::parse(text)
    }
}

impl fmt::Display for Nsid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_nsid(text: &str) -> bool {
    let Some((authority, name)) = text.rsplit_once('.') else { return false };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let begins_with_letter = |text: &str| text.starts_with(|char: char| char.is_ascii_alphabetic());
    text.len() <= 317
        && authority.len() <= 253
        && authority.contains('.')
        && authority.split('.').all(label)
        && begins_with_letter(authority)
        && (1..=63).contains(&name.len())
        && begins_with_letter(name)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_nsid_is_an_authority_and_a_name() {
        // Rule I-26
        let long = format!("com.{}.x", "a".repeat(63));
        for text in ["com.atproto.server.getSession", "a.b.c", "a-b.c1.dE2", &long] {
            assert_eq!(Nsid::parse(text).unwrap().to_string(), text);
        }
        let longer = format!("com.{}.x", "a".repeat(64));
        for text in [
            "",
            "a",
            "a.b",
            "a.b.",
            ".a.b.c",
            "a..b.c",
            "1a.b.c",
            "-a.b.c",
            "a-.b.c",
            "a.b.1c",
            "a.b.c-d",
            "a.b.c_d",
            "a.b.c/d",
            "a.b.c?d",
            "a.b.c#d",
            "../a.b.c",
            "a.b.\u{e9}",
            &longer,
        ] {
            assert!(Nsid::parse(text).is_err(), "{text}");
        }
    }
}
