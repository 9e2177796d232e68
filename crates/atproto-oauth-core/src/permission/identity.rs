//! `identity`: the account's handle and DID document.
//!
//! atproto «Permissions», «`identity`».

use std::fmt;

use crate::permission::error::PermissionError;
use crate::permission::syntax::{self, Syntax};

/// Permission to change the account's identity: `identity:handle`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// The part that may be changed (`attr`).
    pub attribute: IdentityAttribute,
}

/// A part of an account's identity.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum IdentityAttribute {
    /// `handle`.
    Handle,
    /// `*`: the handle and the whole DID document.
    Any,
}

impl Identity {
    /// Permission to change `attribute`.
    pub fn new(attribute: IdentityAttribute) -> Self {
        Self { attribute }
    }

    pub(super) fn read(syntax: &Syntax) -> Result<Self, PermissionError> {
        syntax.only("identity", &["attr"])?;
        match syntax.value("attr")? {
            Some("handle") => Ok(Self::new(IdentityAttribute::Handle)),
            Some("*") => Ok(Self::new(IdentityAttribute::Any)),
            Some(other) => Err(PermissionError::value("attr", other, "expected handle or `*`")),
            None => {
                let (name, example) = ("attr", "identity:handle");
                Err(PermissionError::Missing { resource: "identity", name, example })
            }
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attribute = match self.attribute {
            IdentityAttribute::Handle => "handle",
            IdentityAttribute::Any => "*",
        };
        syntax::write(f, "identity", ("attr", &[attribute.to_owned()]), &[])
    }
}
