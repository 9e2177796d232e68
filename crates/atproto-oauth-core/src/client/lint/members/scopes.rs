//! The scopes of a metadata document: the findings of [`Scopes::lint`] that servers refuse.

use crate::client::lint::code::FindingCode;
use crate::client::lint::document::Document;
use crate::client::lint::finding::Findings;
use crate::scope::Scopes;
use crate::scope::lint::ScopeFindingCode as Code;

/// Checks the member `scope`.
pub(crate) fn check(document: &Document, findings: &mut Findings) {
    match document.get("scope") {
        None => check_text(None, findings),
        Some(_) => {
            if let Some(text) = document.text("scope", findings) {
                check_text(Some(text), findings);
            }
        }
    }
}

/// Checks a list of scopes; `None` if there is none.
pub(crate) fn check_text(text: Option<&str>, findings: &mut Findings) {
    let text = text.unwrap_or_default();
    if text.trim_matches(' ').is_empty() {
        let why = "the list of scopes is missing or empty: write at least `atproto`";
        findings.add(FindingCode::ScopeMissing, MEMBER, why);
        return;
    }
    for found in Scopes::lint(text) {
        let code = match found.code {
            Code::Malformed => FindingCode::ScopeBadSeparator,
            Code::Character => FindingCode::ScopeBadCharset,
            Code::NoAtproto => FindingCode::ScopeMissingAtproto,
            Code::Duplicate => FindingCode::ScopeDuplicate,
            Code::OpenId => FindingCode::ScopeOpenid,
            Code::InvalidPermission
            | Code::PartialWildcard
            | Code::NoAudience
            | Code::AudienceWithoutService
            | Code::UnknownPermission => FindingCode::ScopeInvalidPermission,
            // Servers accept such scopes.
            Code::ChatWithoutGeneric | Code::Broad | Code::NotCanonical | Code::NotDeclared => {
                continue;
            }
        };
        findings.add(code, MEMBER, found.message);
    }
}

const MEMBER: &str = "scope";
