//! Valid and invalid client metadata documents (AT Protocol OAuth: client metadata, RFC 7591
//! section 2).

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::Case;
use crate::flow::Client;
use crate::lab::{Lab, metadata};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a client metadata document is served with a success status and as application/json",
        |lab| {
            for (label, status, content_type) in [
                ("right", 200, "application/json"),
                ("with a parameter", 200, "application/json; charset=utf-8"),
                ("not found", 404, "application/json"),
                ("error", 500, "application/json"),
                ("text/html", 200, "text/html"),
                ("text/plain", 200, "text/plain"),
                ("ld+json", 200, "application/ld+json"),
            ] {
                let id = lab.client_id();
                let body = metadata(&id).to_string();
                fetched(lab, label, &id, status, content_type, &body);
            }
        },
        "
        POST par 201 - nonce (right)
        POST par 201 - nonce (with a parameter)
        POST par 400 invalid_client_metadata nonce (not found)
        POST par 400 invalid_client_metadata nonce (error)
        POST par 400 invalid_client_metadata nonce (text/html)
        POST par 400 invalid_client_metadata nonce (text/plain)
        POST par 400 invalid_client_metadata nonce (ld+json)
        ",
    ),
    Case::new(
        "a client metadata document that is served with status 201",
        |lab| {
            let id = lab.client_id();
            let body = metadata(&id).to_string();
            fetched(lab, "created", &id, 201, "application/json", &body);
        },
        "
        POST par 201 - nonce (created)
        ",
    )
    .stricter(
        "AT Protocol OAuth: the document must be served with status 200",
        "POST par 400 invalid_client_metadata nonce (created)",
    ),
    Case::new(
        "a redirect of a client metadata document is not followed",
        |lab| {
            let (id, elsewhere) = (lab.client_id(), lab.client_id());
            lab.publish(&elsewhere, &metadata(&id));
            let mut headers = HeaderMap::new();
            headers.insert("location", HeaderValue::from_str(&elsewhere).unwrap());
            headers.insert("content-type", HeaderValue::from_static("application/json"));
            lab.publish_as(&id, StatusCode::FOUND, &headers, &metadata(&id).to_string());
            Client::of(&id).login().par(lab).send(lab);
        },
        "
        POST par 400 invalid_client_metadata nonce
        ",
    ),
    Case::new(
        "a client metadata document is a JSON object that is not empty",
        |lab| {
            for body in ["", "[]", "null", "\"text\"", "{", "{}"] {
                let id = lab.client_id();
                let label = if body.is_empty() { "empty" } else { body };
                fetched(lab, label, &id, 200, "application/json", body);
            }
        },
        "
        POST par 400 invalid_client_metadata nonce (empty)
        POST par 400 invalid_client_metadata nonce ([])
        POST par 400 invalid_client_metadata nonce (null)
        POST par 400 invalid_client_metadata nonce (\"text\")
        POST par 400 invalid_client_metadata nonce ({)
        POST par 400 invalid_client_metadata nonce ({})
        ",
    ),
    Case::new(
        "the client_id in a client metadata document is the URL of the document",
        |lab| {
            set(lab, "none", "client_id", Value::Null);
            set(lab, "another", "client_id", "https://app.client.dev/other.json");
            set(lab, "number", "client_id", 17);
        },
        "
        POST par 400 invalid_client_metadata nonce (none)
        POST par 400 invalid_client_metadata nonce (another)
        POST par 400 invalid_client_metadata nonce (number)
        ",
    ),
    Case::new(
        "dpop_bound_access_tokens in a client metadata document is true",
        |lab| {
            set(lab, "none", "dpop_bound_access_tokens", Value::Null);
            set(lab, "false", "dpop_bound_access_tokens", false);
            set(lab, "text", "dpop_bound_access_tokens", "true");
        },
        "
        POST par 400 invalid_client_metadata nonce (none)
        POST par 400 invalid_client_metadata nonce (false)
        POST par 400 invalid_client_metadata nonce (text)
        ",
    ),
    Case::new(
        "the scope in a client metadata document includes atproto, and each scope once",
        |lab| {
            set(lab, "none", "scope", Value::Null);
            set(lab, "empty", "scope", "");
            set(lab, "without atproto", "scope", "transition:generic");
            set(lab, "twice", "scope", "atproto atproto");
            set(lab, "two spaces", "scope", "atproto  transition:generic");
            set(lab, "list", "scope", json!(["atproto"]));
            set(lab, "unknown too", "scope", "atproto com.example.unknown");
        },
        "
        POST par 400 invalid_client_metadata nonce (none)
        POST par 400 invalid_client_metadata nonce (empty)
        POST par 400 invalid_client_metadata nonce (without atproto)
        POST par 400 invalid_client_metadata nonce (twice)
        POST par 400 invalid_client_metadata nonce (two spaces)
        POST par 400 invalid_client_metadata nonce (list)
        POST par 201 - nonce (unknown too)
        ",
    ),
    Case::new(
        "grant_types includes authorization_code, and only supported grant types, each once",
        |lab| {
            set(lab, "none", "grant_types", Value::Null);
            set(lab, "empty", "grant_types", json!([]));
            set(lab, "no code", "grant_types", json!(["refresh_token"]));
            set(lab, "implicit", "grant_types", json!(["authorization_code", "implicit"]));
            set(lab, "twice", "grant_types", json!(["authorization_code", "authorization_code"]));
            set(lab, "password", "grant_types", json!(["authorization_code", "password"]));
            set(lab, "unknown", "grant_types", json!(["authorization_code", "unknown"]));
        },
        "
        POST par 201 - nonce (none)
        POST par 400 invalid_client_metadata nonce (empty)
        POST par 400 invalid_client_metadata nonce (no code)
        POST par 400 invalid_client_metadata nonce (implicit)
        POST par 400 invalid_client_metadata nonce (twice)
        POST par 400 invalid_client_metadata nonce (password)
        POST par 400 invalid_client_metadata nonce (unknown)
        ",
    ),
    Case::new(
        "response_types includes code, and only known response types",
        |lab| {
            set(lab, "none", "response_types", Value::Null);
            set(lab, "empty", "response_types", json!([]));
            set(lab, "token", "response_types", json!(["token"]));
            set(lab, "another too", "response_types", json!(["code", "none"]));
            set(lab, "unknown too", "response_types", json!(["code", "unknown"]));
        },
        "
        POST par 201 - nonce (none)
        POST par 400 invalid_client_metadata nonce (empty)
        POST par 400 invalid_client_metadata nonce (token)
        POST par 201 - nonce (another too)
        POST par 400 invalid_client_metadata nonce (unknown too)
        ",
    ),
    Case::new(
        "the client_uri has the origin of the client id, and the client id is below its path",
        |lab| {
            for (label, uri) in [
                ("the origin", "https://app.client.dev"),
                ("its root", "https://app.client.dev/"),
                ("another directory", "https://app.client.dev/other/"),
                ("another origin", "https://client.dev/"),
                ("not https", "http://app.client.dev/"),
                ("local", "https://localhost/"),
                ("no URL", "app"),
            ] {
                set(lab, label, "client_uri", uri);
            }
        },
        "
        POST par 201 - nonce (the origin)
        POST par 201 - nonce (its root)
        POST par 400 invalid_client_metadata nonce (another directory)
        POST par 400 invalid_client_metadata nonce (another origin)
        POST par 400 invalid_client_metadata nonce (not https)
        POST par 400 invalid_client_metadata nonce (local)
        POST par 400 invalid_client_metadata nonce (no URL)
        ",
    ),
    Case::new(
        "a metadata member for an unsupported feature is refused, and an unknown member is ignored",
        |lab| {
            set(lab, "default_max_age", "default_max_age", 60);
            set(lab, "pairwise", "subject_type", "pairwise");
            set(lab, "public", "subject_type", "public");
            let name = "tls_client_certificate_bound_access_tokens";
            set(lab, "certificates", name, true);
            set(lab, "id_token", "id_token_signed_response_alg", "RS256");
            set(lab, "details", "authorization_details_types", json!(["any"]));
            set(lab, "anything else", "com.example.extension", json!({"any": "thing"}));
        },
        "
        POST par 400 invalid_client_metadata nonce (default_max_age)
        POST par 400 invalid_client_metadata nonce (pairwise)
        POST par 201 - nonce (public)
        POST par 400 invalid_client_metadata nonce (certificates)
        POST par 400 invalid_client_metadata nonce (id_token)
        POST par 400 invalid_client_metadata nonce (details)
        POST par 201 - nonce (anything else)
        ",
    ),
];

/// Sends a pushed request of a client whose metadata is served with this status, type and body.
fn fetched(
    lab: &mut Lab<'_>,
    label: &str,
    id: &str,
    status: u16,
    content_type: &'static str,
    body: &str,
) {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    lab.publish_as(id, StatusCode::from_u16(status).unwrap(), &headers, body);
    Client::of(id).login().par(lab).label(label).send(lab);
}

/// Sends a pushed request of a public client with one member of its metadata changed; `null`
/// removes the member.
pub(super) fn set(lab: &mut Lab<'_>, label: &str, name: &str, value: impl Into<Value>) {
    let id = lab.client_id();
    let mut document = metadata(&id);
    match value.into() {
        Value::Null => drop(document.as_object_mut().unwrap().remove(name)),
        value => document[name] = value,
    }
    let client = Client::with(lab, &id, &document);
    let scope = "atproto".to_owned();
    Client { scope, ..client }.login().par(lab).label(label).send(lab);
}
