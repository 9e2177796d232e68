//! `repo`: writes to the account's repository.
//!
//! atproto «Permissions», «`repo`».

use std::collections::BTreeSet;
use std::fmt;

use crate::permission::error::PermissionError;
use crate::permission::nsids::Nsids;
use crate::permission::syntax::{self, Syntax};

/// Permission to write records: `repo:app.bsky.feed.post?action=create`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Repo {
    /// Collections of the records.
    pub collections: Nsids,
    /// Allowed actions, at least one; by default all.
    pub actions: BTreeSet<RepoAction>,
}

/// A write to a repository. The order is the canonical one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "a repository has no other writes")]
pub enum RepoAction {
    /// A new record.
    Create,
    /// A record in place of another.
    Update,
    /// The removal of a record.
    Delete,
}

impl RepoAction {
    /// All actions.
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];

    /// `create`, `update` or `delete`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn parse(text: &str) -> Result<Self, PermissionError> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or_else(|| {
            PermissionError::value("action", text, "expected create, update or delete")
        })
    }
}

impl Repo {
    /// Permission for `actions` on the records of `collections`.
    pub fn new(collections: Nsids, actions: impl IntoIterator<Item = RepoAction>) -> Self {
        Self { collections, actions: actions.into_iter().collect() }
    }

    pub(super) fn read(syntax: &Syntax) -> Result<Self, PermissionError> {
        syntax.only("repo", &["collection", "action"])?;
        let collections = syntax.values("collection")?;
        if collections.is_empty() {
            return Err(PermissionError::Missing {
                resource: "repo",
                name: "collection",
                example: "repo:app.bsky.feed.post",
            });
        }
        let actions: BTreeSet<_> =
            syntax.named("action").map(RepoAction::parse).collect::<Result<_, _>>()?;
        let collections = Nsids::read("collection", &collections)?;
        Ok(match actions.is_empty() {
            true => Self::new(collections, RepoAction::ALL),
            false => Self { collections, actions },
        })
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions: Vec<_> = match self.actions.len() {
            3 => Vec::new(),
            _ => self.actions.iter().map(|action| ("action", action.as_str())).collect(),
        };
        syntax::write(f, "repo", ("collection", &self.collections.texts()), &actions)
    }
}
