//! The contacts, and members of the metadata document for which the builder has no field.
//!
//! RFC 7591 sections 2 and 2.2.

use std::collections::BTreeMap;

use atproto_sansio::printable;
use serde_json::{Value, json};
use url::Url;

use crate::client::description::{Description, check_page};
use crate::client::lint::metadata::first_finding;
use crate::error::ConfigError;
use crate::json;

/// Rejects a member that the builder writes itself, and contacts and members that the lint would
/// refuse in the document.
pub(crate) fn check(description: &Description) -> Result<(), ConfigError> {
    for (name, value) in &description.other_members {
        if let Some(why) = why_not(name, value) {
            return Err(ConfigError::Member { name: printable(name), why });
        }
    }
    match first_finding(all(description)) {
        Some(finding) => {
            let name = finding.member.unwrap_or_default();
            Err(ConfigError::Member { name, why: finding.message })
        }
        None => Ok(()),
    }
}

/// The members that the document gets.
pub(crate) fn all(description: &Description) -> BTreeMap<String, Value> {
    let mut members = description.other_members.clone();
    if !description.contacts.is_empty() {
        members.insert("contacts".to_owned(), json!(description.contacts));
    }
    members
}

/// The reason why the member can't be one of [`Description::other_members`].
fn why_not(name: &str, value: &Value) -> Option<String> {
    let (base, language) = match name.split_once('#') {
        Some((base, language)) => (base, Some(language)),
        None => (name, None),
    };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
    if base.is_empty() || !base.bytes().all(is_allowed) {
        let rule = "a name has ASCII letters, digits and _ - . : / only: write a registered member";
        return Some(rule.to_owned());
    }
    // There are parsers that read names without regard to case.
    let base = base.to_ascii_lowercase();
    let base = base.as_str();
    if value.is_null() {
        return Some("null stands for an absent member: leave the member out".to_owned());
    }
    if json::object::<Value>(json!({ name: value }).to_string().as_bytes()).is_err() {
        return Some("the value is nested too deep for parsers of JSON: make it flat".to_owned());
    }
    match language {
        None if OF_BUILDER.contains(&base) => {
            Some("`ClientBuilder` writes it itself: use the option of the builder".to_owned())
        }
        None if base == "contacts" || LOCALIZED.contains(&base) => {
            Some(format!("it is the field `Description::{base}`: use the field"))
        }
        None => None,
        Some(language) => why_not_localized(base, language, value),
    }
}

/// The reason why a member in the form `client_name#ja` can't be published.
fn why_not_localized(base: &str, language: &str, value: &Value) -> Option<String> {
    if !LOCALIZED.contains(&base) {
        return Some(format!("only {} have languages: remove the #", LOCALIZED.join(", ")));
    }
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if !language.split('-').all(is_part) {
        return Some("no language tag follows the #: write one, such as ja or pt-BR".to_owned());
    }
    let Some(text) = value.as_str() else {
        return Some("the value must be a string".to_owned());
    };
    if base == "client_name" {
        return None;
    }
    let Ok(url) = Url::parse(text) else {
        return Some("the value must be a whole https URL".to_owned());
    };
    check_page(base, &url).first().map(|broken| broken.why.to_owned())
}

/// Members that follow from the settings of the builder.
const OF_BUILDER: [&str; 11] = [
    "application_type",
    "client_id",
    "dpop_bound_access_tokens",
    "grant_types",
    "jwks",
    "jwks_uri",
    "redirect_uris",
    "response_types",
    "scope",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
];

/// Members that people read, which may be in several languages.
const LOCALIZED: [&str; 5] = ["client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri"];

#[cfg(test)]
mod tests {
    use atproto_dpop::P256Keys;
    use atproto_sansio::SystemEntropy;

    use super::*;
    use crate::client::Client;
    use crate::client::key::ClientKey;
    use crate::{ClientBuilder, Scopes};

    fn web() -> ClientBuilder {
        let scopes = Scopes::parse("atproto").unwrap();
        Client::web("https://app.client.dev/c.json", scopes)
            .redirect_uri("https://app.client.dev/cb")
    }

    fn with(name: &str, value: Value) -> ClientBuilder {
        let other_members = BTreeMap::from([(name.to_owned(), value)]);
        web().description(Description { other_members, ..Description::default() })
    }

    fn document(builder: ClientBuilder) -> Value {
        serde_json::from_str(&builder.build().unwrap().metadata().unwrap()).unwrap()
    }

    #[test]
    fn further_members_are_published_as_they_are_given() {
        // Rule C-24
        for (name, value) in [
            ("software_id", json!("4NRB1-0XZABZI9E6-5SM3R")),
            ("software_version", json!("2.1")),
            ("client_name#ja", json!("アプリ")),
            ("client_name#zh-Hant-TW", json!("應用")),
            ("policy_uri#de", json!("https://client.dev/datenschutz")),
            ("com.example.own", json!({"any": [1, true, "x"]})),
        ] {
            assert_eq!(document(with(name, value.clone()))[name], value, "{name}");
        }
        let contacts = vec!["ops@client.dev".to_owned(), "b@client.dev".to_owned()];
        let contacts = Description { contacts, ..Description::default() };
        let document = document(web().description(contacts));
        assert_eq!(document["contacts"], json!(["ops@client.dev", "b@client.dev"]));
    }

    #[test]
    fn no_further_member_replaces_one_of_the_builder() {
        // Rule C-24
        let key = || ClientKey::generate(&P256Keys, &mut SystemEntropy).unwrap();
        let jwks_uri = Url::parse("https://app.client.dev/jwks").unwrap();
        let page = Url::parse("https://app.client.dev/").unwrap();
        let described = Description {
            client_name: Some("An app".to_owned()),
            client_uri: Some(page.clone()),
            logo_uri: Some(page.clone()),
            tos_uri: Some(page.clone()),
            policy_uri: Some(page),
            contacts: vec!["ops@client.dev".to_owned()],
            other_members: BTreeMap::new(),
        };
        let builders =
            [web().key(key()), web().key(key()).jwks_uri(jwks_uri).description(described)];
        for document in builders.map(document) {
            for (name, value) in document.as_object().unwrap() {
                let error = with(name, value.clone()).build().unwrap_err().to_string();
                assert!(error.contains(&format!("`{name}` can't be published")), "{error}");
            }
        }
    }

    #[test]
    fn a_further_member_that_servers_would_refuse_is_not_built() {
        // Rule C-24
        let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
        for (name, value, why) in [
            ("", json!("x"), "ASCII letters"),
            ("#ja", json!("x"), "ASCII letters"),
            ("client_id ", json!("x"), "ASCII letters"),
            ("soft\u{202e}ware", json!("x"), "ASCII letters"),
            ("Jwks", json!({}), "writes it itself"),
            ("CLIENT_ID", json!("x"), "writes it itself"),
            ("Contacts", json!([]), "use the field"),
            ("software_id", json!(null), "absent"),
            ("deep", deep, "nested"),
            ("scope#ja", json!("atproto"), "only client_name"),
            ("contacts#ja", json!(["a@client.dev"]), "only client_name"),
            ("client_name#", json!("x"), "language tag"),
            ("client_name#ja jp", json!("x"), "language tag"),
            ("client_name#ja", json!(["x"]), "a string"),
            ("logo_uri#ja", json!("logo.png"), "https URL"),
            ("logo_uri#ja", json!("http://client.dev/logo.png"), "https URL"),
            ("client_secret", json!("x"), "never use the secret"),
            ("id_token_signed_response_alg", json!("ES256"), "refuse it"),
            ("require_auth_time", json!("x"), "`true` or `false`"),
        ] {
            let error = with(name, value).build().unwrap_err().to_string();
            assert!(error.contains(why), "{name}: {error}");
        }
        for contact in
            ["ops", "ops@client", "two words@client.dev", "", "x\u{1b}[31m@y.de", "mailto:a@b.de"]
        {
            let contacts = vec![contact.to_owned()];
            let description = Description { contacts, ..Description::default() };
            let error = web().description(description).build().unwrap_err().to_string();
            assert!(error.contains("`contacts[0]`") && error.contains("e-mail"), "{error}");
        }
    }
}
