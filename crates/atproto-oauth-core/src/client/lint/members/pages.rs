//! The lint of the members that are URLs of pages.

use url::Url;

use crate::client::description;
use crate::client::lint::code::FindingCode;
use crate::client::lint::document::Document;
use crate::client::lint::finding::{Findings, quoted};

/// Checks the pages that a consent page links to.
pub(crate) fn check(client_id: Option<&Url>, document: &Document, findings: &mut Findings) {
    for member in ["client_uri", "logo_uri", "tos_uri", "policy_uri"] {
        let Some(url) = check_page(member, document, findings) else { continue };
        if let (Some(client_id), "client_uri") = (client_id, member) {
            let broken = description::check_client_uri(&url, client_id);
            findings.broken(member, url.as_str(), "the client_uri of this client", &broken);
        }
    }
}

/// Checks a member that is the URL of a page.
pub(crate) fn check_page(
    member: &str,
    document: &Document,
    findings: &mut Findings,
) -> Option<Url> {
    let text = document.text(member, findings)?;
    let Ok(url) = Url::parse(text) else {
        let why = format!("{} is not a URL: write a whole https URL", quoted(text));
        findings.add(FindingCode::PageNotUrl, member, why);
        return None;
    };
    let role = format!("the {member} of a client");
    findings.broken(member, text, &role, &description::check_page(member, &url));
    Some(url)
}
