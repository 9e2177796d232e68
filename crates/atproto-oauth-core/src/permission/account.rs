//! `account`: settings of the account.
//!
//! atproto «Permissions», «`account`».

use std::fmt;

use crate::permission::error::PermissionError;
use crate::permission::syntax::{self, Syntax};

/// Permission to read or change one attribute of the account: `account:email?action=manage`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Account {
    /// The attribute (`attr`).
    pub attribute: AccountAttribute,
    /// Whether it may be changed; by default it may be read.
    pub action: AccountAction,
}

/// An attribute of an account.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum AccountAttribute {
    /// `email`: the address.
    Email,
    /// `repo`: the whole repository, such as its import.
    Repo,
}

/// Use of an attribute of an account. The greater one contains the other.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum AccountAction {
    /// `read`.
    Read,
    /// `manage`: read and change.
    Manage,
}

impl AccountAttribute {
    const ALL: [Self; 2] = [Self::Email, Self::Repo];

    fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Repo => "repo",
        }
    }
}

impl Account {
    /// Permission for `action` on `attribute`.
    pub fn new(attribute: AccountAttribute, action: AccountAction) -> Self {
        Self { attribute, action }
    }

    pub(super) fn read(syntax: &Syntax) -> Result<Self, PermissionError> {
        syntax.only("account", &["attr", "action"])?;
        let attribute = syntax.value("attr")?.ok_or(PermissionError::Missing {
            resource: "account",
            name: "attr",
            example: "account:email",
        })?;
        let known = AccountAttribute::ALL.into_iter().find(|known| known.as_str() == attribute);
        let attribute = known
            .ok_or_else(|| PermissionError::value("attr", attribute, "expected email or repo"))?;
        let action = match syntax.named_value("action")? {
            None | Some("read") => AccountAction::Read,
            Some("manage") => AccountAction::Manage,
            Some(other) => {
                return Err(PermissionError::value("action", other, "expected read or manage"));
            }
        };
        Ok(Self { attribute, action })
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action: &[_] = match self.action {
            AccountAction::Read => &[],
            AccountAction::Manage => &[("action", "manage")],
        };
        syntax::write(f, "account", ("attr", &[self.attribute.as_str().to_owned()]), action)
    }
}
