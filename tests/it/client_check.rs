//! [`CheckClient`]: the published documents of a client, as an authorization server sees them.

use atproto_dpop::P256Keys;
use atproto_oauth_core::{
    CheckClient, Client, ClientBuilder, ClientKey, ClientReport, FindingCode, Scopes, Severity,
};
use atproto_oauth_sandbox::{Fault, Sandbox, Seen};
use atproto_sansio::{Keys, SystemEntropy};
use http::StatusCode;
use serde_json::{Value, json};

const CLIENT_ID: &str = "https://app.client.dev/c.json";
const JWKS_URI: &str = "https://app.client.dev/jwks.json";

fn key() -> ClientKey {
    ClientKey::new(P256Keys.generate(&mut SystemEntropy)).unwrap()
}

fn web() -> ClientBuilder {
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    Client::web(CLIENT_ID, scopes).redirect_uri("https://app.client.dev/callback")
}

/// A confidential client whose keys are at a `jwks_uri`.
fn confidential() -> Client {
    web().jwks_uri(JWKS_URI.parse().unwrap()).key(key()).build().unwrap()
}

fn check(sandbox: &mut Sandbox) -> ClientReport {
    sandbox.run(CheckClient::new(CLIENT_ID, false)).unwrap()
}

/// The findings as `code@member`.
fn places(report: &ClientReport) -> Vec<String> {
    let place = |member: &str| if member.is_empty() { String::new() } else { format!("@{member}") };
    let findings = report.findings.iter();
    findings
        .map(|it| format!("{}{}", it.code, place(it.member.as_deref().unwrap_or_default())))
        .collect()
}

/// The paths of all requests.
fn requested(sandbox: &Sandbox) -> Vec<String> {
    let path = |seen: &Seen| match seen {
        Seen::Request(exchange) => Some(exchange.url.path().to_owned()),
        _ => None,
    };
    sandbox.log().iter().filter_map(path).collect()
}

#[test]
fn the_published_documents_of_a_client_are_fetched_and_have_no_findings() {
    // Rules C-01, C-19, C-20
    let (mut sandbox, client) = (Sandbox::new(1), confidential());
    sandbox.publish_client(&client);
    let report = sandbox.run(client.check_published()).unwrap();
    assert_eq!(report.findings, []);
    assert!(report.is_accepted());
    assert_eq!(report.document.as_deref(), client.metadata().as_deref().map(str::as_bytes));
    assert_eq!(report.jwks.as_deref(), Some(client.jwks().as_bytes()));
    assert_eq!(requested(&sandbox), ["/c.json", "/jwks.json"]);
    // The document may be of any client.
    assert_eq!(check(&mut sandbox), report);

    let public = web().build().unwrap();
    sandbox.publish_client(&public);
    assert_eq!(sandbox.run(public.check_published()).unwrap().findings, []);
    assert_eq!(requested(&sandbox).len(), 5, "a public client has one document");
}

#[test]
fn a_response_that_carries_no_document_is_a_finding() {
    // Rule C-01
    type MakeFault = fn() -> Fault;
    let faults: [(&str, MakeFault); 9] = [
        ("status", || Fault::status(StatusCode::NOT_FOUND)),
        ("status", || Fault::status(StatusCode::SERVICE_UNAVAILABLE)),
        ("status", || Fault::with_status(StatusCode::CREATED)),
        ("redirect", || Fault::redirect(StatusCode::FOUND, "https://www.client.dev/c.json")),
        ("content_type", || Fault::with_content_type("text/html")),
        ("content_type", || Fault::without_header(http::header::CONTENT_TYPE)),
        ("too_large", || Fault::pad(512 * 1024 + 1)),
        ("unreachable", Fault::refuse),
        ("unreachable", Fault::silence),
    ];
    for (what, fault) in faults {
        let (mut sandbox, client) = (Sandbox::new(1), confidential());
        sandbox.publish_client(&client);
        sandbox.fault(fault().path("/c.json"));
        let report = check(&mut sandbox);
        assert_eq!(places(&report), [format!("document_{what}")]);
        assert!(!report.is_accepted() && report.document.is_none() && report.jwks.is_none());

        sandbox.fault(fault().path("/jwks.json"));
        let report = check(&mut sandbox);
        assert_eq!(places(&report), [format!("jwks_uri_{what}@jwks_uri")]);
        assert!(!report.is_accepted() && report.document.is_some() && report.jwks.is_none());
    }
    let mut sandbox = Sandbox::new(1);
    assert_eq!(places(&check(&mut sandbox)), ["document_unreachable"], "no such host");
}

#[test]
fn the_message_of_a_redirect_names_its_target() {
    let mut sandbox = Sandbox::new(1);
    let fault = Fault::redirect(StatusCode::MOVED_PERMANENTLY, "https://www.client.dev/c.json");
    sandbox.fault(fault.path("/c.json"));
    let report = check(&mut sandbox);
    let [finding] = report.findings.as_slice() else { panic!("{report:?}") };
    assert_eq!((finding.code, &finding.member), (FindingCode::DocumentRedirect, &None));
    assert!(finding.to_string().contains("https://www.client.dev/c.json"), "{finding}");
}

#[test]
fn the_documents_are_linted_and_compared_with_the_client() {
    // Rules C-02, C-20
    let (mut sandbox, client) = (Sandbox::new(1), confidential());
    sandbox.publish_client(&client);
    let rotated = web().jwks_uri(JWKS_URI.parse().unwrap()).key(key()).build().unwrap();
    let report = sandbox.run(rotated.check_published()).unwrap();
    assert_eq!(places(&report), ["jwks_key_not_published@jwks_uri"]);

    sandbox.publish_json(JWKS_URI, r#"{"keys": []}"#);
    assert_eq!(places(&check(&mut sandbox)), ["jwks_empty@jwks_uri.keys"]);

    let other = client.metadata().unwrap().replace("/c.json", "/other.json");
    sandbox.publish_json(CLIENT_ID, &other);
    sandbox.publish_json(JWKS_URI, &client.jwks());
    assert_eq!(places(&check(&mut sandbox)), ["client_id_mismatch@client_id"]);

    sandbox.publish_json(CLIENT_ID, "[]");
    assert_eq!(places(&check(&mut sandbox)), ["document_not_object"]);
}

#[test]
fn nothing_is_requested_from_hosts_that_no_server_would_ask() {
    // Rules C-03, C-45, J-02
    let mut sandbox = Sandbox::new(1);
    for (client_id, finding) in [
        ("http://app.client.dev/c.json", "client_id_not_https@client_id"),
        ("https://10.0.0.1/c.json", "client_id_ip_host@client_id"),
        ("https://app.test/c.json", "client_id_local_host@client_id"),
        ("https://u@app.client.dev/c.json", "client_id_has_userinfo@client_id"),
        ("c.json", "client_id_not_url@client_id"),
        ("http://localhost:8080/", "loopback_client_id_port@client_id"),
    ] {
        let report = sandbox.run(CheckClient::new(client_id, false)).unwrap();
        assert_eq!((places(&report), report.is_accepted()), (vec![finding.to_owned()], false));
    }
    let report = sandbox.run(CheckClient::new("http://localhost?scope=atproto", false)).unwrap();
    assert!(report.is_accepted() && report.document.is_none());
    let document = web().build().unwrap().metadata().unwrap();
    let local = document.replacen('{', r#"{"jwks_uri": "https://10.0.0.1/jwks.json","#, 1);
    sandbox.publish_json(CLIENT_ID, &local);
    let found = places(&check(&mut sandbox));
    assert_eq!(found, ["jwks_on_public@jwks_uri", "page_local_host@jwks_uri"]);
    assert_eq!(requested(&sandbox), ["/c.json"]);
}

#[test]
fn a_development_network_serves_documents_at_its_own_hosts() {
    let mut sandbox = Sandbox::new(1);
    let client_id = "http://app.test/c.json";
    let document = web().build().unwrap().metadata().unwrap();
    sandbox.publish_json(client_id, &document.replace(CLIENT_ID, client_id));
    let report = sandbox.run(CheckClient::new(client_id, true)).unwrap();
    assert!(report.document.is_some());
    assert_eq!(
        places(&report),
        ["client_id_not_https@client_id", "client_id_local_host@client_id"]
    );
}

/// The members that a server reads, but for the `jwks_uri`, whose document is not published here.
const MEMBERS: [&str; 26] = [
    "application_type",
    "authorization_details_types",
    "authorization_encrypted_response_enc",
    "authorization_signed_response_alg",
    "client_id",
    "client_name",
    "client_uri",
    "contacts",
    "default_max_age",
    "dpop_bound_access_tokens",
    "grant_types",
    "id_token_signed_response_alg",
    "jwks",
    "logo_uri",
    "policy_uri",
    "redirect_uris",
    "request_object_signing_alg",
    "require_auth_time",
    "response_types",
    "scope",
    "subject_type",
    "tls_client_certificate_bound_access_tokens",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "tos_uri",
    "userinfo_signed_response_alg",
];

/// The members that mean something else for a confidential client.
const OF_CONFIDENTIAL: [&str; 4] =
    ["application_type", "jwks", "token_endpoint_auth_method", "token_endpoint_auth_signing_alg"];

/// Values that replace a member, each of them sound for some members.
fn values() -> Vec<Value> {
    let texts = [
        "",
        "native",
        "none",
        "private_key_jwt",
        "client_secret_basic",
        "ES256",
        "public",
        "atproto",
        "atproto atproto",
        "atproto  x",
        "https://app.client.dev/",
        "https://app.client.dev/x",
        "https://other.client.dev/",
        "http://app.client.dev/",
    ];
    let lists = ["code", "authorization_code", "implicit", "a@b.dev"];
    let redirect_uris = [
        "http://127.0.0.1/cb",
        "http://localhost/cb",
        "https://u@app.client.dev/cb",
        "https://app.client.dev/cb#x",
        "dev.client.app:/cb",
        "javascript:alert(1)",
    ];
    let own = "https://app.client.dev/callback";
    let mut values = vec![Value::Null, json!(true), json!(false), json!([]), json!({})];
    values.extend(texts.map(Value::from));
    values.extend(lists.map(|text| json!([text])));
    values.push(json!(["authorization_code", "authorization_code"]));
    values.extend(redirect_uris.map(|uri| json!([own, uri])));
    values.push(json!({"keys": []}));
    values.push(json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k"}]}));
    values
}

/// Returns the values of a member for which a server refuses the client, but the lint has no error.
fn overlooked(sandbox: &mut Sandbox, client: &Client, member: &str) -> Vec<Value> {
    let at = sandbox.server_of("alice.example.com").unwrap();
    let mut document: Value = serde_json::from_str(&client.metadata().unwrap()).unwrap();
    let is_overlooked = |value: &Value| {
        document[member] = value.clone();
        let document = document.to_string();
        sandbox.publish_json(CLIENT_ID, &document);
        sandbox.forget_clients(at);
        let login = client.authorize("alice.example.com".parse().unwrap());
        let findings = client.lint_published(document.as_bytes(), None);
        let has_error = findings.iter().any(|it| it.severity == Severity::Error);
        sandbox.run(login).is_err() && !has_error
    };
    values().into_iter().filter(is_overlooked).collect()
}

/// The servers of the sandbox check documents with rules of their own, from the server's side.
#[test]
fn a_document_that_a_server_refuses_has_an_error() {
    // Rule C-01
    let mut sandbox = Sandbox::new(1);
    let (public, confidential) = (web().build().unwrap(), web().key(key()).build().unwrap());
    for member in MEMBERS {
        assert_eq!(overlooked(&mut sandbox, &public, member), [Value::Null; 0], "{member}");
    }
    for member in OF_CONFIDENTIAL {
        assert_eq!(overlooked(&mut sandbox, &confidential, member), [Value::Null; 0], "{member}");
    }
}
