//! The lint of the members that say which flows a client uses, and which kind of client it is.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::client::lint::code::FindingCode;
use crate::client::lint::document::Document;
use crate::client::lint::finding::{Findings, quoted};
use crate::client::redirect_uri::ApplicationType;

/// Checks the kind of the client, its grants and responses, and the binding of its tokens. Returns
/// the kind, which is `web` unless the document says otherwise.
pub(crate) fn check(document: &Document, findings: &mut Findings) -> ApplicationType {
    check_grant_types(document, findings);
    check_response_types(document, findings);
    check_dpop(document, findings);
    check_application_type(document, findings)
}

fn check_application_type(document: &Document, findings: &mut Findings) -> ApplicationType {
    let member = "application_type";
    match document.text(member, findings) {
        None | Some("web") => ApplicationType::Web,
        Some("native") => ApplicationType::Native,
        Some(other) => {
            let why = format!("{} is no kind of client: write `web` or `native`", quoted(other));
            findings.add(FindingCode::ApplicationTypeUnknown, member, why);
            ApplicationType::Web
        }
    }
}

fn check_grant_types(document: &Document, findings: &mut Findings) {
    let member = "grant_types";
    let Some(grants) = document.texts(member, findings) else { return };
    let mut seen = BTreeSet::new();
    for (place, grant) in &grants {
        if !["authorization_code", "refresh_token"].contains(grant) {
            let why = format!(
                "{} is a grant that AT Protocol does not have: remove it (`authorization_code` and \
                 `refresh_token` remain)",
                quoted(grant)
            );
            findings.add(FindingCode::GrantTypesUnsupported, place, why);
        }
        if !seen.insert(*grant) {
            let why = format!("{} is listed twice: remove it here", quoted(grant));
            findings.add(FindingCode::GrantTypesDuplicate, place, why);
        }
    }
    if !seen.contains("authorization_code") {
        let why = "`authorization_code` is missing, without which no login is possible: list it";
        findings.add(FindingCode::GrantTypesMissingCode, member, why);
    }
    if !seen.contains("refresh_token") {
        let why = "`refresh_token` is missing, so that each session ends with its access token: \
                   list it, unless that is intended";
        findings.add(FindingCode::RefreshTokenGrantMissing, member, why);
    }
}

fn check_response_types(document: &Document, findings: &mut Findings) {
    let member = "response_types";
    let Some(responses) = document.texts(member, findings) else { return };
    for (place, response) in responses.iter().filter(|(_, response)| *response != "code") {
        let code = match OTHER_RESPONSE_TYPES.contains(response) {
            true => FindingCode::ResponseTypesUnsupported,
            false => FindingCode::ResponseTypesUnknown,
        };
        findings.add(
            code,
            place,
            format!("AT Protocol never uses {}: remove it", quoted(response)),
        );
    }
    if !responses.iter().any(|(_, response)| *response == "code") {
        let why = "`code` is missing, without which no login is possible: list it";
        findings.add(FindingCode::ResponseTypesMissingCode, member, why);
    }
}

fn check_dpop(document: &Document, findings: &mut Findings) {
    let member = "dpop_bound_access_tokens";
    let why = match document.get(member) {
        Some(Value::Bool(true)) => return,
        Some(Value::Bool(false)) => {
            "the value is `false`, but AT Protocol binds all tokens: write `true`"
        }
        Some(_) => "the value is not a JSON boolean: write `true`, without quotation marks",
        None => "the member is missing, but AT Protocol binds all tokens: write `true`",
    };
    findings.add(FindingCode::DpopNotBound, member, why);
}

/// Response types of OpenID Connect and of the OAuth 2.0 implicit flow. Servers accept them beside
/// `code`.
const OTHER_RESPONSE_TYPES: [&str; 7] = [
    "token",
    "none",
    "code id_token token",
    "code id_token",
    "code token",
    "id_token token",
    "id_token",
];
