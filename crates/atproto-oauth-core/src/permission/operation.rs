//! Operations of an application, and whether a permission allows them.

use std::fmt;

use crate::permission::account::{Account, AccountAction, AccountAttribute};
use crate::permission::blob::{Blob, MediaRange};
use crate::permission::error::PermissionError;
use crate::permission::identity::{Identity, IdentityAttribute};
use crate::permission::nsids::Nsids;
use crate::permission::repo::{Repo, RepoAction};
use crate::permission::rpc::{Audience, Rpc};
use crate::permission::{Permission, Transition};
use crate::xrpc::{Nsid, Service};

/// Something that an application does in the name of an account.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Operation {
    /// Writes a record.
    Repo {
        /// Collection of the record.
        collection: Nsid,
        /// The write.
        action: RepoAction,
    },
    /// Calls a method of a service, through the PDS.
    Rpc {
        /// The method.
        method: Nsid,
        /// The service.
        service: Service,
    },
    /// Uploads a blob.
    Blob {
        /// Its media type.
        media_type: MediaRange,
    },
    /// Reads or changes an attribute of the account.
    Account {
        /// The attribute.
        attribute: AccountAttribute,
        /// Whether it is read or changed.
        action: AccountAction,
    },
    /// Changes the identity of the account.
    Identity {
        /// The part that is changed.
        attribute: IdentityAttribute,
    },
}

/// Whether scopes allow an operation.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth answer")]
pub enum Allowed {
    /// No.
    No,
    /// The server decides: a permission set that is not expanded may allow it.
    Maybe,
    /// Yes.
    Yes,
}

impl Operation {
    /// Creation, update or removal of a record.
    ///
    /// # Errors
    ///
    /// [`PermissionError::Value`] if `collection` is not an NSID.
    pub fn repo(collection: &str, action: RepoAction) -> Result<Self, PermissionError> {
        Ok(Self::Repo { collection: nsid("collection", collection)?, action })
    }

    /// A call of a method of `service`, such as `did:web:api.bsky.app#bsky_appview`.
    ///
    /// # Errors
    ///
    /// [`PermissionError::Value`] if `method` is not an NSID, or `service` not a service.
    pub fn rpc(method: &str, service: &str) -> Result<Self, PermissionError> {
        let service = crate::permission::rpc::service(service)?;
        Ok(Self::Rpc { method: nsid("lxm", method)?, service })
    }

    /// The upload of a blob.
    ///
    /// # Errors
    ///
    /// [`PermissionError::Value`] if `media_type` is not a media type without parameters.
    pub fn blob(media_type: &str) -> Result<Self, PermissionError> {
        Ok(Self::Blob { media_type: MediaRange::parse(media_type)? })
    }

    /// The smallest permission that allows the operation. Its text is the scope to ask for.
    ///
    /// ```
    /// use atproto_oauth_core::permission::{Operation, RepoAction};
    ///
    /// let post = Operation::repo("app.bsky.feed.post", RepoAction::Create)?;
    /// assert_eq!(post.needed().to_string(), "repo:app.bsky.feed.post?action=create");
    /// # Ok::<(), atproto_oauth_core::permission::PermissionError>(())
    /// ```
    pub fn needed(&self) -> Permission {
        match self.clone() {
            Self::Repo { collection, action } => {
                Permission::Repo(Repo::new(Nsids::Only([collection].into()), [action]))
            }
            Self::Rpc { method, service } => Permission::Rpc(Rpc {
                methods: Nsids::Only([method].into()),
                audience: Audience::Service(service),
            }),
            Self::Blob { media_type } => Permission::Blob(Blob::new([media_type])),
            Self::Account { attribute, action } => {
                Permission::Account(Account::new(attribute, action))
            }
            Self::Identity { attribute } => Permission::Identity(Identity::new(attribute)),
        }
    }
}

fn nsid(name: &'static str, text: &str) -> Result<Nsid, PermissionError> {
    Nsid::parse(text).map_err(|_| PermissionError::value(name, text, "expected an NSID"))
}

impl Permission {
    /// Whether this permission allows `operation`.
    pub fn allows(&self, operation: &Operation) -> Allowed {
        let is_allowed = match (self, operation) {
            (Self::Include(include), Operation::Repo { collection: nsid, .. })
            | (Self::Include(include), Operation::Rpc { method: nsid, .. }) => {
                return if include.covers(nsid) { Allowed::Maybe } else { Allowed::No };
            }
            (Self::Transition(transition), operation) => transition.allows(operation),
            (Self::Repo(repo), Operation::Repo { collection, action }) => {
                repo.collections.contains(collection) && repo.actions.contains(action)
            }
            (Self::Rpc(rpc), Operation::Rpc { method, service }) => {
                rpc.methods.contains(method) && rpc.audience.contains(service)
            }
            (Self::Blob(blob), Operation::Blob { media_type }) => {
                blob.accept.iter().any(|range| range.contains(media_type))
            }
            (Self::Account(account), Operation::Account { attribute, action }) => {
                account.attribute == *attribute && account.action >= *action
            }
            (Self::Identity(identity), Operation::Identity { attribute }) => {
                identity.attribute == IdentityAttribute::Any || identity.attribute == *attribute
            }
            _ => false,
        };
        if is_allowed { Allowed::Yes } else { Allowed::No }
    }
}

impl Transition {
    fn allows(self, operation: &Operation) -> bool {
        match (self, operation) {
            (Self::Generic, Operation::Repo { .. } | Operation::Blob { .. }) => true,
            (Self::Generic, Operation::Rpc { method, .. }) => !is_chat(method),
            (Self::ChatBsky, Operation::Rpc { method, .. }) => is_chat(method),
            (Self::Email, Operation::Account { attribute, action }) => {
                (*attribute, *action) == (AccountAttribute::Email, AccountAction::Read)
            }
            _ => false,
        }
    }
}

fn is_chat(method: &Nsid) -> bool {
    method.as_str().starts_with("chat.bsky.")
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "no",
            Self::Maybe => "maybe",
            Self::Yes => "yes",
        })
    }
}
