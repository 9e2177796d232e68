//! The lint of a metadata document: the members, one after another.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use url::Url;

use crate::client::id;
use crate::client::lint::code::FindingCode;
use crate::client::lint::document::{self, Document};
use crate::client::lint::finding::{Finding, Findings, quoted};
use crate::client::lint::members::{auth, grants, others, pages, scopes};
use crate::client::redirect_rules::{self, Declarer};
use crate::client::redirect_uri::ApplicationType;

/// Finds everything that is wrong with the metadata `document` that was fetched from `client_id`.
///
/// The document may be of any client. It is checked against the rules of the atproto OAuth profile,
/// and against further rules for which authorization servers refuse a client. Members that the rules
/// do not name may have any value. Keys at a `jwks_uri` are a document of their own: see
/// [`lint_jwks`](crate::lint_jwks).
///
/// The work is bounded: a document of more than 512 KiB has one finding, and no document has more
/// than 500.
///
/// ```
/// use atproto_oauth_core::{FindingCode, lint_metadata};
///
/// let client_id = "https://app.example.com/client.json";
/// let document = br#"{"client_id": "https://app.example.com/client.json", "scope": "openid"}"#;
/// let findings = lint_metadata(client_id, document);
/// assert!(findings.iter().any(|finding| finding.code == FindingCode::ScopeOpenid));
/// assert!(findings.iter().any(|finding| finding.code == FindingCode::RedirectUrisEmpty));
/// ```
pub fn lint_metadata(client_id: &str, document: &[u8]) -> Vec<Finding> {
    let mut findings = Findings::default();
    let url = check_client_id(client_id, &mut findings);
    if let Some(document) = Document::read(document, &document::METADATA, &mut findings) {
        check_same_client_id(client_id, &document, &mut findings);
        let application_type = grants::check(&document, &mut findings);
        scopes::check(&document, &mut findings);
        check_redirect_uris(url.as_ref(), application_type, &document, &mut findings);
        auth::check(application_type, &document, &mut findings);
        pages::check(url.as_ref(), &document, &mut findings);
        others::check(&document, &mut findings);
    }
    findings.finish()
}

/// The first finding in members of which no other setting of a client decides.
pub(crate) fn first_finding(members: BTreeMap<String, Value>) -> Option<Finding> {
    let mut findings = Findings::default();
    others::check(&Document::of_members(members), &mut findings);
    findings.finish().into_iter().next()
}

/// The findings in a `client_id` from which no document can be fetched.
pub(super) fn lint_client_id(client_id: &str) -> Vec<Finding> {
    let mut findings = Findings::default();
    check_client_id(client_id, &mut findings);
    findings.finish()
}

/// Checks the URL of the document.
fn check_client_id(client_id: &str, findings: &mut Findings) -> Option<Url> {
    let (url, broken) = id::check(client_id);
    findings.broken("client_id", client_id, "a client_id", &broken);
    if url.as_ref().is_some_and(|url| url.query().is_some()) {
        let why = format!(
            "{} has a query, which the specification discourages: put the difference into the path",
            quoted(client_id)
        );
        findings.add(FindingCode::ClientIdQuery, "client_id", why);
    }
    url
}

/// Checks that the document names the URL that it is served at. Servers compare both as strings.
fn check_same_client_id(client_id: &str, document: &Document, findings: &mut Findings) {
    let found = document.text("client_id", findings);
    let why = match found {
        Some(found) if found == client_id => return,
        Some(found) => format!(
            "{} is not the URL of the document: write {}, in exactly this spelling",
            quoted(found),
            quoted(client_id)
        ),
        // The wrong type is a finding already.
        None if document.has("client_id") => return,
        None => format!("the URL of the document is missing: write {}", quoted(client_id)),
    };
    findings.add(FindingCode::ClientIdMismatch, "client_id", why);
}

fn check_redirect_uris(
    client_id: Option<&Url>,
    application_type: ApplicationType,
    document: &Document,
    findings: &mut Findings,
) {
    let member = "redirect_uris";
    let value = document.get(member);
    if value.is_none_or(|value| value.as_array().is_some_and(Vec::is_empty)) {
        let why = "the client has no redirect URI: list each URI that a login may return to";
        findings.add(FindingCode::RedirectUrisEmpty, member, why);
    }
    let uris = document.texts(member, findings).unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (place, uri) in uris {
        let declarer = Declarer::Published { client_id, application_type };
        let broken = redirect_rules::check_text(uri, declarer);
        findings.broken(&place, uri, "a redirect URI of this client", &broken);
        if !seen.insert(uri) {
            let why = format!("{} is listed twice: remove it here", quoted(uri));
            findings.add(FindingCode::RedirectUriDuplicate, &place, why);
        }
    }
}
