//! No builder makes a document that has a finding: either `build` refuses the settings, or no
//! setting leads to it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use url::Url;

use super::{CLIENT_ID, confidential, key, native, places, scopes, web};
use crate::client::id;
use crate::client::lint::code::FindingCode;
use crate::client::redirect_rules::{self, Declarer};
use crate::{
    ApplicationType, Client, ClientBuilder, Description, Scopes, lint_jwks,
    lint_loopback_client_id, lint_metadata,
};

fn described() -> Description {
    let url = |path: &str| Some(Url::parse(&format!("https://app.client.dev{path}")).unwrap());
    Description {
        client_name: Some("An app".to_owned()),
        client_uri: url("/"),
        logo_uri: url("/logo.png"),
        tos_uri: url("/tos"),
        policy_uri: url("/policy"),
        contacts: vec!["ops@client.dev".to_owned()],
        other_members: BTreeMap::from([
            ("client_name#ja".to_owned(), "アプリ".into()),
            ("logo_uri#ja".to_owned(), "https://app.client.dev/ja.png".into()),
            ("software_id".to_owned(), "4NRB1-0XZABZI9E6-5SM3R".into()),
            ("software_version".to_owned(), "2.1".into()),
        ]),
    }
}

fn page(set: impl FnOnce(&mut Description, Option<Url>), url: &str) -> ClientBuilder {
    let mut description = Description::default();
    set(&mut description, Some(Url::parse(url).unwrap()));
    web().description(description)
}

fn with_contact(contact: &str) -> ClientBuilder {
    web().description(Description { contacts: vec![contact.to_owned()], ..Description::default() })
}

fn with_member(name: &str, value: Value) -> ClientBuilder {
    let other_members = BTreeMap::from([(name.to_owned(), value)]);
    web().description(Description { other_members, ..Description::default() })
}

/// Settings that `build` refuses, each with the code of the finding that they would lead to.
fn refused() -> Vec<(&'static str, ClientBuilder)> {
    let web_at =
        |client_id: &str| Client::web(client_id, scopes()).redirect_uri("https://a.dev/cb");
    let jwks_uri = |builder: ClientBuilder, uri: &str| builder.jwks_uri(Url::parse(uri).unwrap());
    let mut refused = vec![
        ("client_id_not_url", web_at("c.json")),
        ("client_id_not_https", web_at("http://app.client.dev/c.json")),
        ("client_id_has_port", web_at("https://app.client.dev:443/c.json")),
        ("client_id_has_userinfo", web_at("https://u@app.client.dev/c.json")),
        ("client_id_has_fragment", web_at("https://app.client.dev/c.json#x")),
        ("client_id_no_path", web_at("https://app.client.dev/")),
        ("client_id_trailing_slash", web_at("https://app.client.dev/c/")),
        ("client_id_dot_segments", web_at("https://app.client.dev/./c")),
        ("client_id_not_canonical", web_at("https://app.Client.dev/c")),
        ("client_id_ip_host", web_at("https://10.0.0.1/c")),
        ("client_id_local_host", web_at("https://app.local/c")),
        ("redirect_uris_empty", Client::web(CLIENT_ID, scopes())),
        ("jwks_kid_missing", web().key(key(1).with_kid(" "))),
        ("jwks_kid_duplicate", web().key(key(1)).key(key(2).with_kid("k1"))),
        ("native_confidential", native().key(key(1))),
        ("jwks_on_public", jwks_uri(web(), "https://app.client.dev/jwks")),
        ("jwks_uri_not_https", jwks_uri(confidential(), "http://app.client.dev/jwks")),
        ("page_userinfo", jwks_uri(confidential(), "https://u@app.client.dev/jwks")),
        ("page_local_host", jwks_uri(confidential(), "https://app.local/jwks")),
        ("client_uri_not_https", page(|all, url| all.client_uri = url, "http://app.client.dev/")),
        ("client_uri_other_host", page(|all, url| all.client_uri = url, "https://client.dev/")),
        (
            "client_uri_not_parent",
            page(|all, url| all.client_uri = url, "https://app.client.dev/h"),
        ),
        ("logo_uri_not_https", page(|all, url| all.logo_uri = url, "http://client.dev/l")),
        ("tos_uri_not_https", page(|all, url| all.tos_uri = url, "http://client.dev/t")),
        ("contact_not_address", with_contact("ops")),
        ("forbidden_field", with_member("client_secret", "x".into())),
        ("member_wrong_type", with_member("require_auth_time", "x".into())),
        ("policy_uri_not_https", page(|all, url| all.policy_uri = url, "http://client.dev/p")),
    ];
    for (code, uri) in [
        ("redirect_uri_not_url", "cb"),
        ("redirect_uri_not_canonical", "https://app.client.dev/a/../cb"),
        ("redirect_uri_default_port", "https://app.client.dev:443/cb"),
        ("redirect_uri_userinfo", "https://u@app.client.dev/cb"),
        ("redirect_uri_fragment", "https://app.client.dev/cb#x"),
        ("redirect_uri_not_public", "https://10.0.0.1/cb"),
        ("redirect_uri_bad_scheme", "javascript:alert(1)"),
        ("redirect_uri_http_non_loopback", "http://app.client.dev/cb"),
        ("redirect_uri_localhost", "http://localhost/cb"),
        ("redirect_uri_loopback_on_web", "http://127.0.0.1/cb"),
        ("redirect_uri_loopback_https", "https://127.0.0.1/cb"),
        ("redirect_uri_custom_scheme_on_web", "dev.client.app:/cb"),
    ] {
        refused.push((code, web().redirect_uri(uri)));
    }
    for (code, uri) in [
        ("redirect_uri_custom_scheme_mismatch", "dev.client.other:/cb"),
        ("redirect_uri_custom_scheme_double_slash", "dev.client.app://cb"),
        ("redirect_uri_custom_scheme_no_slash", "dev.client.app:cb"),
        ("redirect_uri_custom_scheme_no_dot", "myapp:/cb"),
        ("redirect_uri_native_https_other_origin", "https://other.client.dev/cb"),
    ] {
        refused.push((code, native().redirect_uri(uri)));
    }
    refused
}

/// Texts that `Scopes::parse` refuses, so that no builder gets them.
const REFUSED_SCOPES: [(&str, &str); 6] = [
    ("scope_missing", ""),
    ("scope_missing_atproto", "repo:*"),
    ("scope_bad_separator", "atproto  repo:*"),
    ("scope_bad_charset", "atproto \u{e9}"),
    ("scope_duplicate", "atproto atproto"),
    ("scope_openid", "atproto openid"),
];

/// Texts that `from_loopback_client_id` refuses.
const REFUSED_LOOPBACK: [(&str, &str); 8] = [
    ("loopback_client_id_not_localhost", "http://localhosts"),
    ("loopback_client_id_port", "http://localhost:8080"),
    ("loopback_client_id_path", "http://localhost/c"),
    ("loopback_client_id_fragment", "http://localhost#x"),
    ("loopback_client_id_not_encoded", "http://localhost?scope=atproto repo:*"),
    ("loopback_client_id_unknown_param", "http://localhost?x=y"),
    ("loopback_client_id_duplicate_scope", "http://localhost?scope=atproto&scope=atproto"),
    ("redirect_uri_not_loopback", "http://localhost?redirect_uri=https://app.client.dev/cb"),
];

/// Codes to which no setting leads, because the builder writes the member itself, or because the
/// type of the setting excludes the value.
const NEVER: [&str; 29] = [
    "document_not_json",
    "document_not_object",
    "member_duplicate",
    "client_id_mismatch",
    "application_type_unknown",
    "grant_types_missing_code",
    "grant_types_unsupported",
    "grant_types_duplicate",
    "refresh_token_grant_missing",
    "response_types_missing_code",
    "response_types_unsupported",
    "scope_not_declared",
    "redirect_uri_not_listed",
    "dpop_not_bound",
    "auth_method_missing",
    "auth_method_unsupported",
    "auth_method_differs",
    "auth_alg_missing",
    "auth_alg_none",
    "auth_alg_not_es256",
    "auth_alg_on_public",
    "jwks_and_jwks_uri",
    "jwks_missing",
    "jwks_empty",
    "jwks_private_material",
    "jwks_key_not_published",
    "jwks_no_es256",
    "jwks_coordinate_length",
    "jwks_key_malformed",
];

/// More codes to which no setting leads.
const NEVER_TOO: [&str; 7] = [
    "response_types_unknown",
    "auth_alg_unknown",
    "jwks_key_alg",
    "jwks_key_use",
    "jwks_not_json",
    "jwks_not_object",
    "page_not_url",
];

/// Warnings that a builder leaves to the lint, codes of responses, and the size, which has no limit
/// in a builder.
const NOT_OF_BUILDERS: [&str; 13] = [
    "client_id_query",
    "scope_invalid_permission",
    "redirect_uri_duplicate",
    "document_too_large",
    "document_status",
    "document_redirect",
    "document_content_type",
    "document_unreachable",
    "jwks_uri_status",
    "jwks_uri_redirect",
    "jwks_uri_content_type",
    "jwks_uri_too_large",
    "jwks_uri_unreachable",
];

#[test]
fn settings_that_would_lead_to_a_finding_are_refused() {
    // Rules C-03, C-14, C-18, C-19, C-22, C-30 to C-35, C-45, C-46
    for (code, builder) in refused() {
        assert!(builder.build().is_err(), "{code}");
    }
    for (code, text) in REFUSED_SCOPES {
        assert!(Scopes::parse(text).is_err(), "{code}");
    }
    for (code, text) in REFUSED_LOOPBACK {
        assert!(ClientBuilder::from_loopback_client_id(text).is_err(), "{code}");
        assert!(places(&lint_loopback_client_id(text)).iter().any(|place| place.starts_with(code)));
    }
}

/// The error of `build` has the sentence of the rule, so that the builder and the lint have one rule.
#[test]
fn the_builder_refuses_by_the_rules_of_the_lint() {
    // Rules C-03, C-30
    let web_at =
        |client_id: &str| Client::web(client_id, scopes()).redirect_uri("https://a.dev/cb");
    for text in ["c.json", "http://u@app.local:1/c/#x", "https://app.client.dev", "https://[::1]/c"]
    {
        let (_, broken) = id::check(text);
        let error = web_at(text).build().unwrap_err().to_string();
        assert!(error.ends_with(broken[0].why), "{error}");
    }
    let client_id = Url::parse(CLIENT_ID).unwrap();
    let application_type = ApplicationType::Web;
    let declarer = Declarer::Published { client_id: Some(&client_id), application_type };
    for text in ["cb", "http://localhost/cb#x", "https://u@app.local/cb", "myapp:cb"] {
        let broken = redirect_rules::check_text(text, declarer);
        let error = web().redirect_uri(text).build().unwrap_err().to_string();
        assert!(error.ends_with(broken[0].why), "{error}");
    }
}

#[test]
fn every_code_is_accounted_for() {
    let mut accounted: BTreeSet<_> = refused().into_iter().map(|(code, _)| code).collect();
    accounted.extend(REFUSED_SCOPES.iter().chain(&REFUSED_LOOPBACK).map(|(code, _)| *code));
    accounted.extend(NEVER.iter().chain(&NEVER_TOO).chain(&NOT_OF_BUILDERS));
    let all: BTreeSet<_> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(accounted, all);
}

#[test]
fn the_documents_of_all_builders_have_no_findings() {
    // Rules C-10 to C-24
    let jwks_uri = Url::parse("https://app.client.dev/jwks.json").unwrap();
    for builder in [
        web(),
        web().redirect_uri("https://other.client.dev/cb?x=y").description(described()),
        native(),
        native().redirect_uri("http://[::1]:80/cb").description(described()),
        confidential(),
        confidential().jwks_uri(jwks_uri).description(described()),
    ] {
        let client = builder.build().unwrap();
        let (metadata, jwks) = (client.metadata().unwrap(), client.jwks());
        assert_eq!(lint_metadata(client.client_id(), metadata.as_bytes()), []);
        assert_eq!(client.lint_published(metadata.as_bytes(), None), []);
        if metadata.contains("jwks_uri") {
            assert_eq!(lint_jwks(jwks.as_bytes()), []);
            assert_eq!(client.lint_published(metadata.as_bytes(), Some(jwks.as_bytes())), []);
        }
    }
    for builder in [
        Client::loopback(scopes()),
        Client::loopback(scopes()).redirect_path("/callback"),
        ClientBuilder::from_loopback_client_id("http://localhost").unwrap(),
    ] {
        let client = builder.build().unwrap();
        assert_eq!(lint_loopback_client_id(client.client_id()), []);
        assert_eq!(client.lint_published(b"", None), []);
    }
}
