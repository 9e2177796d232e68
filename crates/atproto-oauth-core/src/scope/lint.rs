//! Findings in a list of scopes: mistakes, and scopes that ask for more than most applications need.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use atproto_sansio::printable;

use crate::permission::{Audience, Nsids, Permission, PermissionError, Transition};
use crate::scope::{OPENID, ScopeError, Scopes};

/// One finding in a list of scopes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ScopeFinding {
    /// The kind of finding.
    pub code: ScopeFindingCode,
    /// The scope that it is about; empty if it is about the whole list.
    pub scope: String,
    /// The reason, and the way out.
    pub message: String,
}

/// Kind of a finding, with a stable text.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ScopeFindingCode {
    /// The list is empty, or scopes are not separated by single spaces.
    Malformed,
    /// A scope has a forbidden character.
    Character,
    /// `atproto` is missing.
    NoAtproto,
    /// A scope occurs twice; the reference server refuses the list.
    Duplicate,
    /// A scope is one of OpenID Connect.
    OpenId,
    /// A permission breaks a rule of its resource, so that it grants nothing.
    InvalidPermission,
    /// A permission has a `*` within an NSID, such as `repo:app.bsky.*`.
    PartialWildcard,
    /// An `rpc` permission names no service.
    NoAudience,
    /// The service of a permission is a DID without the id of a service.
    AudienceWithoutService,
    /// A resource is unknown to this version.
    UnknownPermission,
    /// `transition:chat.bsky` stands without `transition:generic`.
    ChatWithoutGeneric,
    /// The scope allows more than most applications need.
    Broad,
    /// The scope is not in canonical form.
    NotCanonical,
    /// The scope of a request is not in the client's metadata in the same spelling.
    NotDeclared,
}

impl ScopeFindingCode {
    /// The stable text of the code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "scope_malformed",
            Self::Character => "scope_bad_charset",
            Self::NoAtproto => "scope_missing_atproto",
            Self::Duplicate => "scope_duplicate",
            Self::OpenId => "scope_openid",
            Self::InvalidPermission => "scope_invalid_permission",
            Self::PartialWildcard => "scope_partial_wildcard",
            Self::NoAudience => "scope_rpc_without_aud",
            Self::AudienceWithoutService => "scope_aud_without_service",
            Self::UnknownPermission => "scope_unknown_permission",
            Self::ChatWithoutGeneric => "scope_chat_without_generic",
            Self::Broad => "scope_broad",
            Self::NotCanonical => "scope_not_canonical",
            Self::NotDeclared => "scope_not_declared",
        }
    }

    /// Whether the scopes do not do what they are meant to; otherwise the finding is a warning.
    pub fn is_error(self) -> bool {
        !matches!(
            self,
            Self::UnknownPermission | Self::ChatWithoutGeneric | Self::Broad | Self::NotCanonical
        )
    }
}

impl fmt::Display for ScopeFindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ScopeFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

fn finding(code: ScopeFindingCode, scope: &str, message: impl fmt::Display) -> ScopeFinding {
    ScopeFinding { code, scope: printable(scope), message: message.to_string() }
}

impl Scopes {
    /// All findings in a list of scopes, in its order.
    ///
    /// ```
    /// use atproto_oauth_core::Scopes;
    ///
    /// let findings = Scopes::lint("atproto repo:app.bsky.*");
    /// assert_eq!(findings[0].code.as_str(), "scope_partial_wildcard");
    /// ```
    pub fn lint(text: &str) -> Vec<ScopeFinding> {
        use ScopeFindingCode as Code;
        let mut findings = Vec::new();
        if text.split(' ').any(str::is_empty) {
            findings.push(finding(Code::Malformed, "", ScopeError::Empty));
        }
        let scopes: Vec<_> = text.split(' ').filter(|scope| !scope.is_empty()).collect();
        if !scopes.contains(&"atproto") {
            findings.push(finding(Code::NoAtproto, "", ScopeError::NoAtproto));
        }
        let mut seen = BTreeSet::new();
        for scope in &scopes {
            if !seen.insert(*scope) {
                let twice = ScopeError::Duplicate(printable(scope));
                findings.push(finding(Code::Duplicate, scope, twice));
            } else if let Some(name) = OPENID.into_iter().find(|name| name == scope) {
                findings.push(finding(Code::OpenId, scope, ScopeError::OpenId(name)));
            } else {
                findings.extend(one(scope));
            }
        }
        let [chat, generic] = [Transition::ChatBsky, Transition::Generic].map(Transition::as_str);
        if scopes.contains(&chat) && !scopes.contains(&generic) {
            let why = format!("`{chat}` has an effect together with `{generic}` only: add that");
            findings.push(finding(Code::ChatWithoutGeneric, chat, why));
        }
        findings
    }

    /// The scopes that the client's metadata lack, of which servers refuse a request. `declared` is the member
    /// `scope` of the metadata, which servers compare as text.
    ///
    /// ```
    /// use atproto_oauth_core::Scopes;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let findings = Scopes::parse("atproto repo:a.b.c")?.lint_request("atproto");
    /// assert_eq!(findings[0].scope, "repo:a.b.c");
    /// # Ok(())
    /// # }
    /// ```
    pub fn lint_request(&self, declared: &str) -> Vec<ScopeFinding> {
        let listed: BTreeSet<_> = declared.split(' ').collect();
        let missing: Vec<_> = self.iter().filter(|scope| !listed.contains(scope)).collect();
        if missing.is_empty() {
            return Vec::new();
        }
        let canonical = |text: &str| Permission::parse(text).ok().map(|known| known.to_string());
        let spellings = listed.iter().filter_map(|text| Some((canonical(text)?, *text)));
        let spellings: BTreeMap<_, _> = spellings.collect();
        let found = missing.into_iter().map(|scope| {
            let other = canonical(scope).and_then(|canonical| spellings.get(&canonical));
            let why = match other {
                Some(other) => format!(
                    "`{scope}` is declared in another spelling, `{}`: servers compare the text, so use one of \
                     them in both places",
                    printable(other)
                ),
                None => format!("`{scope}` is not in the client's metadata: add it there, or do not ask for it"),
            };
            finding(ScopeFindingCode::NotDeclared, scope, why)
        });
        found.collect()
    }
}

/// The findings in one scope.
fn one(scope: &str) -> Vec<ScopeFinding> {
    let permission = match Permission::parse(scope) {
        Ok(permission) => permission,
        Err(error) => return vec![finding(code_of(&error), scope, error)],
    };
    let mut findings = Vec::new();
    let canonical = permission.to_string();
    if canonical != scope {
        let why = format!("the canonical form of `{scope}` is `{canonical}`");
        findings.push(finding(ScopeFindingCode::NotCanonical, scope, why));
    }
    if let Some(instead) = instead_of_broad(&permission) {
        findings.push(finding(ScopeFindingCode::Broad, scope, format!("`{scope}` {instead}")));
    }
    findings
}

fn code_of(error: &PermissionError) -> ScopeFindingCode {
    use ScopeFindingCode as Code;
    match error {
        PermissionError::Character => Code::Character,
        PermissionError::UnknownResource(_) => Code::UnknownPermission,
        PermissionError::Missing { name: "aud", .. } => Code::NoAudience,
        PermissionError::Value { name: "aud", value, .. } if !value.contains('#') => {
            Code::AudienceWithoutService
        }
        PermissionError::Value { name: "collection" | "lxm", value, .. } if value.contains('*') => {
            Code::PartialWildcard
        }
        _ => Code::InvalidPermission,
    }
}

fn instead_of_broad(permission: &Permission) -> Option<&'static str> {
    match permission {
        Permission::Transition(Transition::Generic) => {
            Some("allows almost everything: ask for the permissions that the application uses")
        }
        Permission::Transition(Transition::ChatBsky) => {
            Some("allows all direct messages: ask for `rpc` permissions for the methods it uses")
        }
        Permission::Transition(Transition::Email) => {
            Some("is of the time before permissions: ask for `account:email`")
        }
        Permission::Repo(repo) if repo.collections == Nsids::Any => {
            Some("allows writes to all collections: name those that the application uses")
        }
        Permission::Rpc(rpc) if rpc.methods == Nsids::Any => {
            Some("allows all methods of the service: name those that the application uses")
        }
        Permission::Rpc(rpc) if rpc.audience == Audience::Any => {
            Some("allows calls of every service: name the one that the application uses")
        }
        _ => None,
    }
}
