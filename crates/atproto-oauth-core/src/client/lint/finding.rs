//! [`Finding`]: one broken rule, and the collection of all of them.

use std::fmt;

use serde::Serialize;

use crate::client::lint::code::{Broken, FindingCode};
use crate::client::lint::names::Severity;
use crate::origin::shown;

/// One thing that is wrong with the metadata of a client.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Stable code of the broken rule.
    pub code: FindingCode,
    /// Whether authorization servers refuse the client for it.
    pub severity: Severity,
    /// Place in the document, such as `redirect_uris[1]` or `jwks.keys[0].kid`; `None` for the
    /// document as a whole.
    pub member: Option<String>,
    /// Description of the problem, with the value shortened and without secrets, and the way to
    /// correct it.
    pub message: String,
}

/// Collects findings.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

/// Largest number of findings in one document, so that a hostile document has no endless report.
pub(super) const MAX_FINDINGS: usize = 500;

impl Findings {
    /// Adds a finding about the document as a whole.
    pub(super) fn about_document(&mut self, code: FindingCode, message: impl Into<String>) {
        self.push(code, None, message.into());
    }

    /// Adds a finding about a member.
    pub(super) fn add(&mut self, code: FindingCode, member: &str, message: impl Into<String>) {
        self.push(code, Some(member.to_owned()), message.into());
    }

    /// Adds the rules that the `value` of a member breaks. `role` is the value's use, such as «a
    /// redirect URI of this client».
    pub(super) fn broken(&mut self, member: &str, value: &str, role: &str, broken: &[Broken]) {
        for Broken { code, why } in broken {
            self.add(*code, member, format!("{} can't be {role}: {why}", quoted(value)));
        }
    }

    /// Adds the findings of another document.
    pub(super) fn extend(&mut self, findings: Vec<Finding>) {
        let left = MAX_FINDINGS.saturating_sub(self.0.len());
        self.0.extend(findings.into_iter().take(left));
    }

    pub(super) fn finish(self) -> Vec<Finding> {
        self.0
    }

    fn push(&mut self, code: FindingCode, member: Option<String>, message: String) {
        if self.0.len() < MAX_FINDINGS {
            self.0.push(Finding { code, severity: code.severity(), member, message });
        }
    }
}

/// Returns an untrusted value for a message: shortened, without invisible characters and without
/// the password of a URL. An empty value is named, because nobody would see it.
pub(super) fn quoted(value: &str) -> String {
    let shown = shown(value);
    if shown.is_empty() { "the empty text".to_owned() } else { shown }
}

/// Writes severity, code, member and message in one line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.severity, self.code)?;
        if let Some(member) = &self.member {
            write!(f, "`{member}`: ")?;
        }
        f.write_str(&self.message)
    }
}
