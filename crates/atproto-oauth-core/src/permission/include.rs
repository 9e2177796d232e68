//! `include`: a permission set.
//!
//! atproto «Permissions», «Permission Sets».

use std::fmt;

use crate::permission::error::PermissionError;
use crate::permission::rpc;
use crate::permission::syntax::{self, Syntax};
use crate::xrpc::{Nsid, Service};

/// The permissions that a lexicon document lists: `include:app.example.authBasic`. [`PermissionSet`]
/// expands it.
///
/// [`PermissionSet`]: crate::permission::PermissionSet
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Include {
    /// Name of the permission set.
    pub nsid: Nsid,
    /// The service of those `rpc` permissions that inherit it (`aud`).
    pub audience: Option<Service>,
}

impl Include {
    /// The permissions of `nsid`, for `audience`.
    pub fn new(nsid: Nsid, audience: Option<Service>) -> Self {
        Self { nsid, audience }
    }

    pub(super) fn read(syntax: &Syntax) -> Result<Self, PermissionError> {
        syntax.only("include", &["nsid", "aud"])?;
        let nsid = syntax.value("nsid")?.ok_or(PermissionError::Missing {
            resource: "include",
            name: "nsid",
            example: "include:app.example.authBasic",
        })?;
        let nsid = Nsid::parse(nsid).map_err(|_| {
            PermissionError::value("nsid", nsid, "expected the NSID of a permission set")
        })?;
        let audience = syntax.named_value("aud")?.map(rpc::service).transpose()?;
        Ok(Self { nsid, audience })
    }

    /// Whether the set may have permissions for `nsid`: only for names of its own group, which its author
    /// controls.
    pub(super) fn covers(&self, nsid: &Nsid) -> bool {
        nsid.as_str().starts_with(self.nsid.group())
    }
}

impl fmt::Display for Include {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let audience = self.audience.as_ref().map(|audience| ("aud", audience.as_str()));
        syntax::write(f, "include", ("nsid", &[self.nsid.to_string()]), audience.as_slice())
    }
}
