//! The published documents, against the settings of the client.

use serde_json::{Value, json};
use url::Url;

use super::{CLIENT_ID, confidential, document, patched, places, web};
use crate::client::lint::code::FindingCode;
use crate::{Client, ClientBuilder, Scopes};

/// The codes that have a case here.
pub(super) const COVERED: [&str; 4] = [
    "redirect_uri_not_listed",
    "scope_not_declared",
    "auth_method_differs",
    "jwks_key_not_published",
];

fn compared(client: &Client, document: &Value, set: Option<&Value>) -> Vec<String> {
    let set = set.map(Value::to_string);
    let set = set.as_ref().map(String::as_bytes);
    places(&client.lint_published(document.to_string().as_bytes(), set))
}

#[test]
fn a_difference_from_the_settings_of_the_client_is_found() {
    // Rules C-14, C-16, C-33
    let builder = || web().redirect_uri("https://app.client.dev/cb2");
    let (client, published) = (builder().build().unwrap(), document(builder()));
    assert_eq!(compared(&client, &published, None), [""; 0]);
    for (patch, expected) in [
        (
            json!({"redirect_uris": ["https://app.client.dev/cb2/", "https://app.client.dev/cb"]}),
            vec!["redirect_uri_not_listed@redirect_uris"],
        ),
        (json!({"scope": "atproto"}), vec!["scope_not_declared@scope"]),
        (
            document(confidential()),
            vec![
                "auth_method_differs@token_endpoint_auth_method",
                "redirect_uri_not_listed@redirect_uris",
            ],
        ),
    ] {
        assert_eq!(compared(&client, &patched(published.clone(), &patch), None), expected);
    }
}

#[test]
fn a_scope_that_is_published_in_another_spelling_is_named() {
    // Rules I-32, I-44
    let scopes = Scopes::parse("atproto repo:a.b.c").unwrap();
    let client = Client::web(CLIENT_ID, scopes).redirect_uri("https://app.client.dev/cb");
    let client = client.build().unwrap();
    let document = json!({"scope": "atproto repo?collection=a.b.c"}).to_string();
    let findings = client.lint_published(document.as_bytes(), None);
    let differs = findings.iter().filter(|found| found.code == FindingCode::ScopeNotDeclared);
    let told: Vec<_> = differs.map(|found| found.message.as_str()).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("`repo?collection=a.b.c`"), "{told:?}");
}

#[test]
fn a_key_that_is_not_published_is_found() {
    // Rule C-20
    let not_published = ["jwks_key_not_published@jwks"];
    let (client, published) = (confidential().build().unwrap(), document(confidential()));
    assert_eq!(compared(&client, &published, None), [""; 0]);
    let without = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut changed = published.clone();
        change(changed["jwks"]["keys"].as_array_mut().unwrap());
        compared(&client, &changed, None)
    };
    assert_eq!(without(&|keys| drop(keys.pop())), not_published);
    // The order of keys means nothing, another kid or another key under the same kid does.
    assert_eq!(without(&|keys| keys.reverse()), [""; 0]);
    assert_eq!(without(&|keys| keys[0]["kid"] = json!("k3")), not_published);
    assert_eq!(
        without(&|keys| keys[1] = patched(keys[0].clone(), &json!({"kid": "k2"}))),
        not_published
    );
    assert_eq!(without(&|keys| keys[0]["revoked"] = json!({"revoked_at": 1})), not_published);
    assert_eq!(without(&|keys| keys[0]["revoked"] = json!(false)), [""; 0]);
}

#[test]
fn keys_at_the_jwks_uri_are_compared_too() {
    // Rules C-19, C-20
    let uri = Url::parse("https://app.client.dev/jwks.json").unwrap();
    let builder = || -> ClientBuilder { confidential().jwks_uri(uri.clone()) };
    let (client, published) = (builder().build().unwrap(), document(builder()));
    let mut set: Value = serde_json::from_str(&client.jwks()).unwrap();
    assert_eq!(compared(&client, &published, Some(&set)), [""; 0]);
    let _ = set["keys"].as_array_mut().unwrap().pop();
    set["keys"][0]["d"] = json!("s3cret");
    let found = compared(&client, &published, Some(&set));
    assert_eq!(
        found,
        ["jwks_key_not_published@jwks_uri", "jwks_private_material@jwks_uri.keys[0].d"]
    );
    // Without the document, there is nothing to compare.
    assert_eq!(compared(&client, &published, None), [""; 0]);
    assert_eq!(compared(&client, &published, Some(&json!([]))), ["jwks_not_object@jwks_uri"]);
}
