//! The lint of members that AT Protocol does not use: some are forbidden, and some must have a type.

use atproto_sansio::{is_printable, printable};
use serde_json::Value;

use crate::client::lint::code::FindingCode;
use crate::client::lint::document::{Document, wrong_type};
use crate::client::lint::finding::{Findings, quoted};

/// Checks the members that no other file checks. Members that are not registered may have any value.
pub(crate) fn check(document: &Document, findings: &mut Findings) {
    for member in TEXTS {
        document.text(member, findings);
    }
    for member in BOOLEANS {
        if let Some(value) = document.get(member).filter(|value| !value.is_boolean()) {
            wrong_type(member, value, "`true` or `false`", findings);
        }
    }
    check_contacts(document, findings);
    for name in document.names().filter(|name| is_forbidden(document, name)) {
        let why = match name.starts_with("client_secret") {
            true => "everybody can read this document: remove the member, and never use the secret",
            false => "AT Protocol does not use this, and servers refuse it: remove the member",
        };
        findings.add(FindingCode::ForbiddenField, &printable(name), why);
    }
}

fn check_contacts(document: &Document, findings: &mut Findings) {
    for (place, contact) in document.texts("contacts", findings).unwrap_or_default() {
        let (name, host) = contact.split_once('@').unwrap_or_default();
        let is_odd = |char: char| char.is_whitespace() || char == ':' || !is_printable(char);
        if name.is_empty() || !host.contains('.') || contact.contains(is_odd) {
            let why = format!(
                "{} is not an e-mail address: write one, such as contact@example.com",
                quoted(contact)
            );
            findings.add(FindingCode::ContactNotAddress, &place, why);
        }
    }
}

/// Whether servers refuse a document with this member, or with its value.
fn is_forbidden(document: &Document, name: &str) -> bool {
    let value = document.get(name);
    match name {
        "subject_type" => value.and_then(Value::as_str).is_some_and(|kind| kind != "public"),
        "tls_client_certificate_bound_access_tokens" => value == Some(&Value::Bool(true)),
        _ => {
            FORBIDDEN.contains(&name)
                || FORBIDDEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        }
    }
}

const TEXTS: [&str; 4] = [
    "authorization_signed_response_alg",
    "client_name",
    "request_object_signing_alg",
    "subject_type",
];
const BOOLEANS: [&str; 2] = ["require_auth_time", "tls_client_certificate_bound_access_tokens"];
const FORBIDDEN: [&str; 3] =
    ["authorization_details_types", "default_max_age", "id_token_signed_response_alg"];
const FORBIDDEN_PREFIXES: [&str; 3] = ["authorization_encrypted_", "client_secret", "userinfo_"];
