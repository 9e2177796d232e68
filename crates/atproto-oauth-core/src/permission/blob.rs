//! `blob`: uploads.
//!
//! atproto «Permissions», «`blob`».

use std::collections::BTreeSet;
use std::fmt;

use crate::permission::error::PermissionError;
use crate::permission::syntax::{self, Syntax};

/// Permission to upload blobs of some media types: `blob:image/*`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Blob {
    /// The media types, at least one; none is contained in another.
    pub accept: BTreeSet<MediaRange>,
}

/// A media type, or several of them. Letters are in lower case.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "the grammar has no fourth form")]
pub enum MediaRange {
    /// `*/*`: all.
    Any,
    /// All subtypes of a type, such as `image/*`.
    Type(String),
    /// One media type, such as `image/png`.
    Exact(String, String),
}

impl MediaRange {
    /// Parses `*/*`, `type/*` or `type/subtype`.
    ///
    /// # Errors
    ///
    /// [`PermissionError::Value`] for any other text.
    pub fn parse(text: &str) -> Result<Self, PermissionError> {
        let refused =
            || PermissionError::value("accept", text, "expected `*/*`, `image/*` or `image/png`");
        let (kind, subtype) = text.split_once('/').ok_or_else(refused)?;
        match (kind, subtype) {
            ("*", "*") => Ok(Self::Any),
            (kind, "*") if is_token(kind) => Ok(Self::Type(kind.to_ascii_lowercase())),
            (kind, subtype) if is_token(kind) && is_token(subtype) => {
                Ok(Self::Exact(kind.to_ascii_lowercase(), subtype.to_ascii_lowercase()))
            }
            _ => Err(refused()),
        }
    }

    /// Whether all media types of `other` are in this range.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Type(own), Self::Type(kind) | Self::Exact(kind, _)) => own == kind,
            (own, other) => own == other,
        }
    }
}

/// A name of RFC 6838 section 4.2. A `*` is no part of a name.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
}

impl fmt::Display for MediaRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*/*"),
            Self::Type(kind) => write!(f, "{kind}/*"),
            Self::Exact(kind, subtype) => write!(f, "{kind}/{subtype}"),
        }
    }
}

impl Blob {
    /// Permission to upload blobs of these media types.
    pub fn new(accept: impl IntoIterator<Item = MediaRange>) -> Self {
        let mut accept: BTreeSet<_> = accept.into_iter().collect();
        let all = accept.clone();
        accept.retain(|range| !all.iter().any(|other| other != range && other.contains(range)));
        Self { accept }
    }

    pub(super) fn read(syntax: &Syntax) -> Result<Self, PermissionError> {
        syntax.only("blob", &["accept"])?;
        let values = syntax.values("accept")?;
        if values.is_empty() {
            let (name, example) = ("accept", "blob:image/*");
            return Err(PermissionError::Missing { resource: "blob", name, example });
        }
        let accept: Vec<_> = values.into_iter().map(MediaRange::parse).collect::<Result<_, _>>()?;
        Ok(Self::new(accept))
    }
}

impl fmt::Display for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accept: Vec<_> = self.accept.iter().map(MediaRange::to_string).collect();
        syntax::write(f, "blob", ("accept", &accept), &[])
    }
}
