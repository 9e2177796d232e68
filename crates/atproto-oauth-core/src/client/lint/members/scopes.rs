//! The lint of a list of scopes.

use std::collections::BTreeSet;

use crate::client::lint::code::FindingCode;
use crate::client::lint::document::Document;
use crate::client::lint::finding::{Findings, quoted};
use crate::permission::Permission;
use crate::scope::{ScopeError, Scopes};

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
    let tokens: Vec<_> = text.split(' ').collect();
    if tokens.contains(&"") {
        let why = "there is a space at an end, or two in a row: separate scopes by single spaces";
        findings.add(FindingCode::ScopeBadSeparator, MEMBER, why);
    }
    let mut seen = BTreeSet::new();
    for token in tokens.into_iter().filter(|token| !token.is_empty()) {
        if !seen.insert(token) {
            let why = format!("the scope {} occurs twice: remove one", quoted(token));
            findings.add(FindingCode::ScopeDuplicate, MEMBER, why);
            continue;
        }
        check_token(token, findings);
    }
    if !seen.contains("atproto") {
        let why = "the scope `atproto` is missing, without which no login is possible: add it";
        findings.add(FindingCode::ScopeMissingAtproto, MEMBER, why);
    }
}

fn check_token(token: &str, findings: &mut Findings) {
    // A list with `atproto` and the token fails only because of the token.
    let error = Scopes::parse(&format!("atproto {token}")).err();
    let code = match error {
        Some(ScopeError::Character(_)) => FindingCode::ScopeBadCharset,
        Some(ScopeError::OpenId(_)) => FindingCode::ScopeOpenid,
        Some(ScopeError::Duplicate(_) | ScopeError::Empty | ScopeError::NoAtproto) | None => {
            if let Err(error) = Permission::parse(token) {
                let why =
                    format!("{} grants nothing: {error}; correct or remove it", quoted(token));
                findings.add(FindingCode::ScopeInvalidPermission, MEMBER, why);
            }
            return;
        }
    };
    if let Some(error) = error {
        findings.add(code, MEMBER, error.to_string());
    }
}

const MEMBER: &str = "scope";
