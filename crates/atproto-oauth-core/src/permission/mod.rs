//! Permissions: the meaning of scopes.
//!
//! A scope is a static value, such as `atproto`, or a permission: the name of a resource, and parameters.
//! [`Permission::parse`] reads one, and its `Display` writes the canonical form. The scopes of a login stay
//! text ([`Scopes`](crate::Scopes)), because servers compare them as text, and may grant permissions that
//! this version does not know.
//!
//! atproto «Permissions», «Scope String Syntax» and «Resource Types»; atproto OAuth, «Authorization Scopes».

mod account;
mod blob;
mod error;
mod identity;
mod include;
mod nsids;
mod operation;
mod repo;
mod rpc;
mod set;
mod syntax;

use std::fmt;
use std::str::FromStr;

pub use self::account::{Account, AccountAction, AccountAttribute};
pub use self::blob::{Blob, MediaRange};
pub use self::error::PermissionError;
pub use self::identity::{Identity, IdentityAttribute};
pub use self::include::Include;
pub use self::nsids::Nsids;
pub use self::operation::{Allowed, Operation};
pub use self::repo::{Repo, RepoAction};
pub use self::rpc::{Audience, Rpc};
pub use self::set::{PermissionSet, PermissionSetError};
use crate::permission::syntax::Syntax;

/// The meaning of one scope.
///
/// ```
/// use atproto_oauth_core::permission::Permission;
///
/// let permission = Permission::parse("repo?collection=app.bsky.feed.post&action=delete&action=create")?;
/// assert_eq!(permission.to_string(), "repo:app.bsky.feed.post?action=create&action=delete");
/// # Ok::<(), atproto_oauth_core::permission::PermissionError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Permission {
    /// `atproto`: the account's DID.
    Atproto,
    /// `transition:generic`, `transition:chat.bsky` or `transition:email`.
    Transition(Transition),
    /// `repo`: writes to the account's repository.
    Repo(Repo),
    /// `rpc`: requests that the PDS forwards to other services.
    Rpc(Rpc),
    /// `blob`: uploads.
    Blob(Blob),
    /// `account`: settings of the account.
    Account(Account),
    /// `identity`: the account's handle and DID document.
    Identity(Identity),
    /// `include`: a permission set.
    Include(Include),
}

/// A scope of the time before permissions, with the rights of an app password.
///
/// atproto OAuth, «Transitional Scopes».
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Transition {
    /// `transition:generic`: all records, all blobs, and all requests except direct messages.
    Generic,
    /// `transition:chat.bsky`: direct messages, in addition to `transition:generic`.
    ChatBsky,
    /// `transition:email`: the account's address.
    Email,
}

impl Transition {
    const ALL: [Self; 3] = [Self::Generic, Self::ChatBsky, Self::Email];

    /// The scope as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "transition:generic",
            Self::ChatBsky => "transition:chat.bsky",
            Self::Email => "transition:email",
        }
    }
}

impl Permission {
    /// Parses one scope.
    ///
    /// # Errors
    ///
    /// [`PermissionError::UnknownResource`] if the scope is none that this version knows, which a server
    /// may grant all the same; another [`PermissionError`] if it breaks a rule of its resource.
    pub fn parse(scope: &str) -> Result<Self, PermissionError> {
        if scope == "atproto" {
            return Ok(Self::Atproto);
        }
        if let Some(known) = Transition::ALL.into_iter().find(|known| known.as_str() == scope) {
            return Ok(Self::Transition(known));
        }
        let syntax = Syntax::parse(scope)?;
        Ok(match syntax.resource.as_str() {
            "repo" => Self::Repo(Repo::read(&syntax)?),
            "rpc" => Self::Rpc(Rpc::read(&syntax)?),
            "blob" => Self::Blob(Blob::read(&syntax)?),
            "account" => Self::Account(Account::read(&syntax)?),
            "identity" => Self::Identity(Identity::read(&syntax)?),
            "include" => Self::Include(Include::read(&syntax)?),
            _ => return Err(PermissionError::unknown_resource(scope)),
        })
    }
}

impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(scope: &str) -> Result<Self, PermissionError> {
        Self::parse(scope)
    }
}

/// The canonical form: values in a fixed order and each once, defaults left out.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Atproto => f.write_str("atproto"),
            Self::Transition(transition) => f.write_str(transition.as_str()),
            Self::Repo(repo) => repo.fmt(f),
            Self::Rpc(rpc) => rpc.fmt(f),
            Self::Blob(blob) => blob.fmt(f),
            Self::Account(account) => account.fmt(f),
            Self::Identity(identity) => identity.fmt(f),
            Self::Include(include) => include.fmt(f),
        }
    }
}
