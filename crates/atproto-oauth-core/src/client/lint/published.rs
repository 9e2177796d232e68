//! The lint of the documents that a client has published, against the settings that it runs with.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::client::config::Config;
use crate::client::lint::code::FindingCode;
use crate::client::lint::document::Document;
use crate::client::lint::finding::{Finding, Findings, quoted};
use crate::client::lint::jwks::{self, JWKS_URI};
use crate::client::lint::loopback::lint_loopback_client_id;
use crate::client::lint::metadata::lint_metadata;

impl Config {
    /// Lints the documents of [`Client::lint_published`](crate::Client::lint_published).
    pub(crate) fn lint_published(&self, document: &[u8], set: Option<&[u8]>) -> Vec<Finding> {
        if self.metadata().is_none() {
            return lint_loopback_client_id(&self.client_id);
        }
        let mut findings = Findings::default();
        findings.extend(lint_metadata(&self.client_id, document));
        findings.extend(set.map(jwks::lint_at_jwks_uri).unwrap_or_default());
        self.compare(document, set, &mut findings);
        findings.finish()
    }

    /// Adds the differences between the settings of the client and its published documents. A
    /// document that can't be read has none.
    pub(super) fn compare(&self, document: &[u8], set: Option<&[u8]>, findings: &mut Findings) {
        let Some(document) = Document::readable(document) else { return };
        self.compare_redirect_uris(&document, findings);
        self.compare_scopes(&document, findings);
        self.compare_method(&document, findings);
        match document.get("jwks") {
            Some(set) => self.compare_keys(set.get("keys"), "jwks", findings),
            None => {
                // Without a readable set of keys, another finding says so.
                if let Some(set) = set.and_then(Document::readable) {
                    self.compare_keys(set.get("keys"), JWKS_URI, findings);
                }
            }
        }
    }

    fn compare_redirect_uris(&self, document: &Document, findings: &mut Findings) {
        let member = "redirect_uris";
        let listed = document.texts(member, &mut Findings::default()).unwrap_or_default();
        let listed: BTreeSet<_> = listed.into_iter().map(|(_, uri)| uri).collect();
        for uri in self.redirect_uris.iter().filter(|uri| !listed.contains(uri.as_str())) {
            let why = format!(
                "{} is not listed, but the client uses it: list it, in exactly this spelling",
                quoted(uri.as_str())
            );
            findings.add(FindingCode::RedirectUriNotListed, member, why);
        }
    }

    fn compare_scopes(&self, document: &Document, findings: &mut Findings) {
        let member = "scope";
        let text = document.text(member, &mut Findings::default()).unwrap_or_default();
        for missing in self.scopes.lint_request(text) {
            findings.add(FindingCode::ScopeNotDeclared, member, missing.message);
        }
    }

    fn compare_method(&self, document: &Document, findings: &mut Findings) {
        let member = "token_endpoint_auth_method";
        let used = if self.keys.is_empty() { "none" } else { "private_key_jwt" };
        let found = document.text(member, &mut Findings::default());
        if let Some(found) = found.filter(|found| *found != used) {
            let why = format!("the client uses {used}, not {}: write {used}", quoted(found));
            findings.add(FindingCode::AuthMethodDiffers, member, why);
        }
    }

    /// Checks that each key which the client may sign with is published.
    fn compare_keys(&self, keys: Option<&Value>, place: &str, findings: &mut Findings) {
        let published: BTreeSet<_> =
            jwks::usable(keys).map(|(kid, jwk)| (kid, jwk.thumbprint())).collect();
        for key in &self.keys {
            if !published.contains(&(key.kid(), key.jwk().thumbprint())) {
                let why = format!(
                    "the client signs with the key {}, which is not published, or only as revoked: \
                     publish it, or remove `key`",
                    quoted(key.kid())
                );
                findings.add(FindingCode::JwksKeyNotPublished, place, why);
            }
        }
    }
}
