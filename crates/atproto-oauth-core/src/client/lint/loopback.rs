//! The lint of the `client_id` of a loopback client, which has no metadata document.

use crate::client::lint::finding::{Finding, Findings};
use crate::client::lint::members::scopes;
use crate::client::loopback::Parameters;
use crate::client::redirect_rules::{self, Declarer};

/// Finds everything that is wrong with the `client_id` of a loopback client: `http://localhost` and
/// perhaps a query with redirect URIs and scopes.
///
/// ```
/// use atproto_oauth_core::{FindingCode, lint_loopback_client_id};
///
/// assert!(lint_loopback_client_id("http://localhost?scope=atproto").is_empty());
/// let findings = lint_loopback_client_id("http://localhost:8080");
/// assert_eq!(findings[0].code, FindingCode::LoopbackClientIdPort);
/// ```
pub fn lint_loopback_client_id(client_id: &str) -> Vec<Finding> {
    let mut findings = Findings::default();
    let Parameters { redirect_uris, scopes, broken } = Parameters::of(client_id);
    findings.broken("client_id", client_id, "the client_id of a loopback client", &broken);
    for (index, uri) in redirect_uris.iter().enumerate() {
        let broken = redirect_rules::check_text(uri, Declarer::Loopback);
        let place = format!("redirect_uris[{index}]");
        findings.broken(&place, uri, "a redirect URI of this client", &broken);
    }
    if let Some(scope) = scopes.first() {
        scopes::check_text(Some(scope), &mut findings);
    }
    findings.finish()
}

/// Whether a `client_id` is meant to be that of a loopback client.
pub(super) fn is_loopback(client_id: &str) -> bool {
    let rest = client_id.strip_prefix("http://localhost");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', ':', '#']))
}
