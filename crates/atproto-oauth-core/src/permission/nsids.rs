//! [`Nsids`]: named collections or methods, or all of them.

use std::collections::BTreeSet;

use crate::permission::error::PermissionError;
use crate::xrpc::Nsid;

/// Collections of a `repo` permission, or methods of an `rpc` permission.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the grammar has no third form")]
pub enum Nsids {
    /// `*`: all.
    Any,
    /// These; at least one.
    Only(BTreeSet<Nsid>),
}

impl Nsids {
    /// Whether `nsid` is one of them.
    pub fn contains(&self, nsid: &Nsid) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only.contains(nsid),
        }
    }

    /// Reads the values of the parameter `name`. A `*` absorbs the others, which have to be valid, too.
    pub(super) fn read(name: &'static str, values: &[&str]) -> Result<Self, PermissionError> {
        let mut only = BTreeSet::new();
        for value in values.iter().filter(|value| **value != "*") {
            only.insert(Nsid::parse(value).map_err(|_| {
                let expected = match value.ends_with(".*") {
                    true => "only all can be meant by `*`, so name each NSID, or use `*` alone",
                    false => "expected an NSID, such as app.bsky.feed.post, or `*`",
                };
                PermissionError::value(name, value, expected)
            })?);
        }
        Ok(if values.contains(&"*") { Self::Any } else { Self::Only(only) })
    }

    /// The values in canonical order.
    pub(super) fn texts(&self) -> Vec<String> {
        match self {
            Self::Any => vec!["*".to_owned()],
            Self::Only(only) => only.iter().map(Nsid::to_string).collect(),
        }
    }
}
