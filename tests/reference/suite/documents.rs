//! The reference authorization server judges client metadata documents: it accepts the documents of
//! the builders, and refuses documents in which the lint finds an error. The errors of the lint for
//! which the server is more lenient are in the table `LENIENT`.
//!
//! A document is judged by a pushed authorization request of its client at PDS a. The client is the
//! one of the builder even if the document is changed, so the request itself is always right.

mod tables;

use std::collections::{BTreeMap, BTreeSet};

use atproto_dpop::P256Keys;
use atproto_oauth_core::{
    Client, ClientBuilder, ClientKey, Description, Error, Finding, FindingCode, Scopes, Severity,
    Subject, lint_jwks, lint_loopback_client_id, lint_metadata,
};
use atproto_oauth_tests::flows::Stage;
use atproto_sansio::{Keys, SystemEntropy};
use http::StatusCode;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::stage::Reference;
use tables::Base::{self, JwksUri};
use tables::{
    DUPLICATE, LENIENT, LENIENT_IDS, OF_RESPONSES, REFUSED, REFUSED_IDS, REFUSED_LOOPBACK,
};

const CLIENT_ID: &str = "https://app.client.dev/judged/client.json";
const JWKS_URI: &str = "https://app.client.dev/judged/jwks.json";
const CALLBACK: &str = "https://app.client.dev/callback";

fn scopes() -> Scopes {
    Scopes::parse("atproto transition:generic").unwrap()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn key(kid: &str) -> ClientKey {
    ClientKey::new(P256Keys.generate(&mut SystemEntropy)).unwrap().with_kid(kid)
}

fn web() -> ClientBuilder {
    Client::web(CLIENT_ID, scopes()).redirect_uri(CALLBACK)
}

fn native() -> ClientBuilder {
    Client::native(CLIENT_ID, scopes()).redirect_uri("dev.client.app:/callback")
}

fn confidential() -> ClientBuilder {
    web().key(key("k1"))
}

fn described(builder: ClientBuilder) -> ClientBuilder {
    builder.description(Description {
        client_name: Some("A judged client".to_owned()),
        client_uri: Some(url("https://app.client.dev/judged/")),
        logo_uri: Some(url("https://cdn.client.dev/logo.png")),
        tos_uri: Some(url("https://client.dev/tos")),
        policy_uri: Some(url("https://client.dev/policy")),
        contacts: vec!["ops@client.dev".to_owned()],
        other_members: BTreeMap::from([
            ("client_name#ja".to_owned(), "アプリ".into()),
            ("policy_uri#ja".to_owned(), "https://client.dev/ja/policy".into()),
            ("software_id".to_owned(), "judged-client".into()),
            ("software_version".to_owned(), "2.1".into()),
        ]),
    })
}

/// The builders whose documents the server accepts, each with its redirect URIs.
fn accepted() -> Vec<(&'static str, ClientBuilder, Vec<&'static str>)> {
    let native_with = |uri: &str| Client::native(CLIENT_ID, scopes()).redirect_uri(uri);
    let scoped = |scope: &str| Client::web(CLIENT_ID, Scopes::parse(scope).unwrap());
    let other = "https://other.client.dev/callback?x=y";
    let custom = "dev.client.app:/callback";
    let (ipv4, ipv6) = ("http://127.0.0.1/callback", "http://[::1]/callback");
    vec![
        ("web", web(), vec![CALLBACK]),
        ("web with pages", described(web()), vec![CALLBACK]),
        ("web, several URIs", web().redirect_uri(other), vec![CALLBACK, other]),
        ("web, one scope", scoped("atproto").redirect_uri(CALLBACK), vec![CALLBACK]),
        (
            "web, many scopes",
            scoped("atproto repo:com.example.note?action=create blob:image/* transition:email")
                .redirect_uri(CALLBACK),
            vec![CALLBACK],
        ),
        ("native, custom scheme", native_with(custom), vec![custom]),
        ("native, https", native_with(CALLBACK), vec![CALLBACK]),
        ("native, IPv4 loopback", native_with(ipv4), vec![ipv4, "http://127.0.0.1:7777/callback"]),
        ("native, IPv6 loopback", native_with(ipv6), vec![ipv6, "http://[::1]:7777/callback"]),
        (
            "native, all kinds, with pages",
            described(native().redirect_uri(CALLBACK).redirect_uri(ipv4)),
            vec![custom, CALLBACK, ipv4],
        ),
        ("confidential with jwks", confidential(), vec![CALLBACK]),
        ("confidential, two keys", confidential().key(key("k2")), vec![CALLBACK]),
        ("confidential, with pages", described(confidential()), vec![CALLBACK]),
        ("confidential with jwks_uri", confidential().jwks_uri(url(JWKS_URI)), vec![CALLBACK]),
        ("loopback", Client::loopback(scopes()), vec!["http://127.0.0.1:7777/"]),
        (
            "loopback with a path",
            Client::loopback(scopes()).redirect_path("/callback"),
            vec!["http://127.0.0.1:7777/callback", "http://[::1]:7777/callback"],
        ),
        ("shortest loopback id", given("http://localhost"), vec!["http://127.0.0.1:7777/"]),
        (
            "given loopback id",
            given("http://localhost/?scope=atproto&redirect_uri=http://127.0.0.1/a"),
            vec!["http://127.0.0.1:7777/a"],
        ),
    ]
}

fn given(client_id: &str) -> ClientBuilder {
    ClientBuilder::from_loopback_client_id(client_id).unwrap()
}

/// Applies a merge patch (RFC 7396), in which null removes a member. Arrays of objects are merged
/// element by element.
fn patched(document: Value, patch: &Value) -> Value {
    let is_of_objects = |array: &[Value]| array.first().is_some_and(Value::is_object);
    match (document, patch) {
        (Value::Object(mut own), Value::Object(members)) => {
            for (name, value) in members {
                let old = own.remove(name).unwrap_or_default();
                if !value.is_null() {
                    own.insert(name.clone(), patched(old, value));
                }
            }
            Value::Object(own)
        }
        (Value::Array(own), Value::Array(new)) if is_of_objects(&own) && is_of_objects(new) => {
            own.into_iter().zip(new).map(|(own, new)| patched(own, new)).collect()
        }
        (_, patch) => patch.clone(),
    }
}

/// The published text of a document; a string stands for its own text.
fn text_of(document: &Value) -> String {
    document.as_str().map_or_else(|| document.to_string(), str::to_owned)
}

/// Publishes a client's document, and its JWK Set if that is not in the document.
fn publish(stage: &Reference, client: &Client, metadata: &Value, jwks: &Value) {
    let mut form = json!({"client_id": client.client_id(), "metadata": metadata});
    if metadata.get("jwks_uri").is_some() {
        form["jwks_uri"] = JWKS_URI.into();
        form["jwks"] = jwks.clone();
    }
    stage.network.ask("/clients", &form);
}

/// Pushes an authorization request of a client.
fn push(stage: &Reference, client: &Client, redirect_uri: Option<&str>) -> Result<(), Error> {
    let subject = Subject::parse(&stage.account("alice").handle).unwrap();
    let adapter = stage.run(client.clone());
    let redirect_uri = redirect_uri.map(url);
    let authorization = adapter.authorize(subject, &|login| match &redirect_uri {
        Some(uri) => login.redirect_uri(uri.clone()),
        None => login,
    });
    authorization.map(drop)
}

/// Pushes an authorization request of a public client that no builder makes, without a DPoP proof,
/// which the server does not need before the token request. Returns its error and description.
fn push_as(stage: &Reference, client_id: &str, redirect_uri: &str) -> Result<(), (String, String)> {
    let form = Serializer::new(String::new())
        .append_pair("client_id", client_id)
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", "atproto")
        .append_pair("state", "s")
        // Example of RFC 7636 appendix B.
        .append_pair("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
        .append_pair("code_challenge_method", "S256")
        .finish();
    let request = ureq::post(format!("{}/oauth/par", stage.account("alice").issuer))
        .config()
        .http_status_as_error(false)
        .build()
        .header("content-type", "application/x-www-form-urlencoded");
    let response = request.send(form).unwrap();
    let status = response.status();
    let answer = response.into_body().read_to_string().unwrap();
    if status == StatusCode::CREATED {
        return Ok(());
    }
    assert_eq!(status, StatusCode::BAD_REQUEST, "{client_id}: {answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let member = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    Err((member("error"), member("error_description")))
}

/// Reports whether a finding with this code, which is an error, is among the findings.
fn finds(findings: &[Finding], code: &str) -> bool {
    findings.iter().any(|it| it.code.as_str() == code && it.code.severity() == Severity::Error)
}

fn metadata_of(client: &Client) -> Value {
    serde_json::from_str(&client.metadata().unwrap()).unwrap()
}

#[test]
fn the_server_accepts_the_documents_of_the_builders() {
    // Rules C-10, C-21, C-24, C-32, C-35, C-37, C-47, C-48
    let stage = Reference::blocking();
    for (name, builder, redirect_uris) in accepted() {
        let client = stage.configure(builder).build().unwrap();
        if client.metadata().is_some() {
            let jwks = serde_json::from_str(&client.jwks()).unwrap();
            publish(&stage, &client, &metadata_of(&client), &jwks);
        }
        for redirect_uri in redirect_uris {
            let pushed = push(&stage, &client, Some(redirect_uri));
            assert_eq!(pushed, Ok(()), "{name}, {redirect_uri}");
        }
    }
}

/// Publishes the changed document of a row, and returns the error of the pushed authorization
/// request, and the findings of the lint.
fn judge(stage: &Reference, base: Base, patch: &str) -> (Option<Error>, Vec<Finding>) {
    let client = stage.configure(base.builder()).build().unwrap();
    let mut metadata = metadata_of(&client);
    let mut jwks: Value = serde_json::from_str(&client.jwks()).unwrap();
    let patch: Value = serde_json::from_str(patch).unwrap();
    let findings = match base {
        JwksUri => {
            jwks = patched(jwks, &patch);
            lint_jwks(text_of(&jwks).as_bytes())
        }
        _ => {
            metadata = patched(metadata, &patch);
            client.lint_published(text_of(&metadata).as_bytes(), None)
        }
    };
    publish(stage, &client, &metadata, &jwks);
    (push(stage, &client, None).err(), findings)
}

#[test]
fn the_server_refuses_the_documents_in_which_the_lint_finds_an_error() {
    // Rules C-02, C-11 to C-19, C-22, C-23, C-30, C-31, C-34
    let stage = Reference::blocking();
    for (code, base, patch, reason) in REFUSED {
        let (error, findings) = judge(&stage, *base, patch);
        assert!(finds(&findings, code), "{code}, {patch}: {findings:?}");
        let Some(Error::Refused(refusal)) = error else { panic!("{code}, {patch}: {error:?}") };
        let description = refusal.description.as_deref().unwrap_or_default();
        let is_about_client = refusal.status == StatusCode::BAD_REQUEST;
        assert!(is_about_client && description.contains(reason), "{code}, {patch}: {refusal:?}");
    }
}

#[test]
fn the_server_is_more_lenient_than_the_lint() {
    let stage = Reference::blocking();
    for (code, base, patch) in LENIENT {
        let (error, findings) = judge(&stage, *base, patch);
        assert!(finds(&findings, code), "{code}, {patch}: {findings:?}");
        assert_eq!(error, None, "{code}, {patch}");
    }
    for (code, client_id) in LENIENT_IDS {
        let (findings, pushed) = judge_id(&stage, client_id);
        assert!(finds(&findings, code), "{client_id}: {findings:?}");
        assert_eq!(pushed, Ok(()), "{client_id}");
    }
    // The server reads the last of two members; other servers may read the first one.
    let client = stage.configure(web()).build().unwrap();
    let twice = metadata_of(&client).to_string().replacen('{', r#"{"scope":"atproto","#, 1);
    assert!(finds(&lint_metadata(CLIENT_ID, twice.as_bytes()), DUPLICATE));
    publish(&stage, &client, &twice.into(), &Value::Null);
    assert_eq!(push(&stage, &client, None), Ok(()));
}

/// Publishes a right document at a client id, or no document if it is a loopback client id. Returns
/// the findings of the lint, and the result of a pushed authorization request.
fn judge_id(stage: &Reference, client_id: &str) -> (Vec<Finding>, Result<(), (String, String)>) {
    if client_id.starts_with("http://localhost") {
        let pushed = push_as(stage, client_id, "http://127.0.0.1/");
        return (lint_loopback_client_id(client_id), pushed);
    }
    let mut metadata = metadata_of(&stage.configure(web()).build().unwrap());
    metadata["client_id"] = client_id.into();
    if Url::parse(client_id).is_ok() {
        stage.network.ask("/clients", &json!({"client_id": client_id, "metadata": metadata}));
    }
    let pushed = push_as(stage, client_id, CALLBACK);
    (lint_metadata(client_id, metadata.to_string().as_bytes()), pushed)
}

#[test]
fn the_server_refuses_the_client_ids_in_which_the_lint_finds_an_error() {
    // Rules C-03, C-45, C-46
    let stage = Reference::blocking();
    for (code, client_id) in REFUSED_IDS.iter().chain(REFUSED_LOOPBACK) {
        let (findings, pushed) = judge_id(&stage, client_id);
        assert!(finds(&findings, code), "{client_id}: {findings:?}");
        let (error, description) = pushed.expect_err(client_id);
        assert_eq!(error, "invalid_client_metadata", "{client_id}: {description}");
    }
}

#[test]
fn the_documents_cover_every_error_of_the_lint() {
    let mut covered: BTreeSet<_> = OF_RESPONSES.into_iter().chain([DUPLICATE]).collect();
    covered.extend(REFUSED.iter().map(|(code, ..)| *code));
    covered.extend(LENIENT.iter().map(|(code, ..)| *code));
    let ids = [REFUSED_IDS, REFUSED_LOOPBACK, LENIENT_IDS];
    covered.extend(ids.into_iter().flatten().map(|(code, _)| *code));
    let errors = FindingCode::ALL.iter().filter(|code| code.severity() == Severity::Error);
    let errors: BTreeSet<_> = errors.map(|code| code.as_str()).collect();
    assert_eq!(covered, errors);
}
