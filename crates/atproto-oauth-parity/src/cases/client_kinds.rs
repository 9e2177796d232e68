//! Redirect URIs and keys of web, native, public and confidential clients (RFC 8252).

use serde_json::{Value, json};

use super::client_documents::set;
use crate::Case;
use crate::flow::{Client, KID, confidential_metadata};
use crate::jwt::Key;
use crate::lab::{Lab, metadata};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "the redirect URIs of a web client are https URLs with a public host name",
        |lab| {
            set(lab, "none", "redirect_uris", Value::Null);
            set(lab, "empty", "redirect_uris", json!([]));
            for uri in [
                "https://app.client.dev/callback",
                "https://elsewhere.dev/callback",
                "http://app.client.dev/callback",
                "http://127.0.0.1/callback",
                "http://localhost/callback",
                "https://localhost/callback",
                "https://client.test/callback",
                "https://127.0.0.1/callback",
                "https://user@app.client.dev/callback",
                "dev.client.app:/callback",
                "callback",
            ] {
                redirecting(lab, "web", uri);
            }
        },
        "
        POST par 400 invalid_client_metadata nonce (none)
        POST par 400 invalid_client_metadata nonce (empty)
        POST par 201 - nonce (https://app.client.dev/callback)
        POST par 201 - nonce (https://elsewhere.dev/callback)
        POST par 400 invalid_request nonce (http://app.client.dev/callback)
        POST par 400 invalid_redirect_uri nonce (http://127.0.0.1/callback)
        POST par 400 invalid_request nonce (http://localhost/callback)
        POST par 400 invalid_request nonce (https://localhost/callback)
        POST par 400 invalid_redirect_uri nonce (https://client.test/callback)
        POST par 400 invalid_request nonce (https://127.0.0.1/callback)
        POST par 400 invalid_redirect_uri nonce (https://user@app.client.dev/callback)
        POST par 400 invalid_redirect_uri nonce (dev.client.app:/callback)
        POST par 400 invalid_request nonce (callback)
        ",
    ),
    Case::new(
        "the redirect URIs of a native client are https, loopback or have the client's own scheme",
        |lab| {
            for uri in [
                "https://app.client.dev/callback",
                "http://127.0.0.1/callback",
                "http://127.0.0.1:7777/callback",
                "http://[::1]/callback",
                "http://localhost/callback",
                "https://127.0.0.1/callback",
                "dev.client.app:/callback",
                "dev.client.app://callback",
                "dev.client.other:/callback",
                "app:/callback",
                "javascript:alert(1)",
            ] {
                redirecting(lab, "native", uri);
            }
        },
        "
        POST par 201 - nonce (https://app.client.dev/callback)
        POST par 201 - nonce (http://127.0.0.1/callback)
        POST par 201 - nonce (http://127.0.0.1:7777/callback)
        POST par 201 - nonce (http://[::1]/callback)
        POST par 400 invalid_request nonce (http://localhost/callback)
        POST par 400 invalid_request nonce (https://127.0.0.1/callback)
        POST par 201 - nonce (dev.client.app:/callback)
        POST par 400 invalid_request nonce (dev.client.app://callback)
        POST par 400 invalid_redirect_uri nonce (dev.client.other:/callback)
        POST par 400 invalid_request nonce (app:/callback)
        POST par 400 invalid_request nonce (javascript:alert(1))
        ",
    ),
    Case::new(
        "a redirect URI with a private-use scheme and without a slash",
        |lab| redirecting(lab, "native", "dev.client.app:callback"),
        "
        POST par 201 - nonce (dev.client.app:callback)
        ",
    )
    .stricter(
        "AT Protocol OAuth: the scheme is followed by a colon, one slash and a path",
        "POST par 400 invalid_request nonce (dev.client.app:callback)",
    ),
    Case::new(
        "the application_type is web or native, and may be missing",
        |lab| {
            set(lab, "none", "application_type", Value::Null);
            set(lab, "native", "application_type", "native");
            set(lab, "unknown", "application_type", "browser");
        },
        "
        POST par 201 - nonce (none)
        POST par 201 - nonce (native)
        POST par 400 invalid_client_metadata nonce (unknown)
        ",
    ),
    Case::new(
        "a client declares a supported authentication method, with fitting algorithm and keys",
        |lab| {
            set(lab, "none", "token_endpoint_auth_method", Value::Null);
            set(lab, "a secret", "token_endpoint_auth_method", "client_secret_basic");
            set(lab, "its own jwt", "token_endpoint_auth_method", "client_secret_jwt");
            set(lab, "an alg for nothing", "token_endpoint_auth_signing_alg", "ES256");
            set(lab, "no keys", "token_endpoint_auth_method", "private_key_jwt");
        },
        "
        POST par 400 invalid_client_metadata nonce (none)
        POST par 400 invalid_client_metadata nonce (a secret)
        POST par 400 invalid_client_metadata nonce (its own jwt)
        POST par 400 invalid_client_metadata nonce (an alg for nothing)
        POST par 400 invalid_client_metadata nonce (no keys)
        ",
    ),
    Case::new(
        "a confidential client is a web client with one set of public signing keys with kid",
        |lab| {
            confidential(lab, "right", |_, _| {});
            confidential(lab, "native", |document, _| {
                document["application_type"] = "native".into();
                document["redirect_uris"] = json!(["dev.client.app:/callback"]);
            });
            confidential(lab, "no alg", |document, _| {
                let members = document.as_object_mut().unwrap();
                members.remove("token_endpoint_auth_signing_alg");
            });
            confidential(lab, "no keys", |document, _| document["jwks"] = json!({"keys": []}));
            confidential(lab, "no key set", |document, _| document["jwks"] = json!([]));
            let jwks_uri = lab.client_id();
            lab.publish(&jwks_uri, &json!({"keys": []}));
            confidential(lab, "both", |document, _| document["jwks_uri"] = jwks_uri.into());
            confidential(lab, "the private key", |document, key| {
                document["jwks"]["keys"][0]["d"] = key.private_jwk()["d"].clone();
            });
            confidential(lab, "a key without kid", |document, _| {
                document["jwks"]["keys"][0].as_object_mut().unwrap().remove("kid");
            });
            confidential(lab, "for encryption", |document, _| {
                document["jwks"]["keys"][0]["use"] = "enc".into();
            });
            confidential(lab, "for signatures", |document, _| {
                document["jwks"]["keys"][0]["use"] = "sig".into();
            });
        },
        "
        POST par 201 - nonce (right)
        POST par 400 invalid_client_metadata nonce (native)
        POST par 400 invalid_client_metadata nonce (no alg)
        POST par 400 invalid_client_metadata nonce (no keys)
        POST par 400 invalid_client_metadata nonce (no key set)
        POST par 400 invalid_client_metadata nonce (both)
        POST par 400 invalid_client_metadata nonce (the private key)
        POST par 400 invalid_client_metadata nonce (a key without kid)
        POST par 400 invalid_client nonce (for encryption)
        POST par 201 - nonce (for signatures)
        ",
    ),
];

fn redirecting(lab: &mut Lab<'_>, kind: &str, uri: &str) {
    let id = lab.client_id();
    let mut document = metadata(&id);
    document["application_type"] = kind.into();
    document["redirect_uris"] = json!([uri]);
    let client = Client::with(lab, &id, &document);
    let client = Client { redirect_uri: uri.to_owned(), ..client };
    client.login().par(lab).label(uri).send(lab);
}

fn confidential(lab: &mut Lab<'_>, label: &str, change: impl FnOnce(&mut Value, &Key)) {
    let id = lab.client_id();
    let key = Key::new();
    let mut document = confidential_metadata(&id, &[(&key, KID)]);
    change(&mut document, &key);
    let client = Client::with(lab, &id, &document);
    let draft = Client { secret: Some(key), ..client }.login().par(lab);
    draft.no_field("redirect_uri").label(label).send(lab);
}
