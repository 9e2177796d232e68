//! For each code a document, a `client_id` or a JWK Set that provokes it.

use serde_json::{Value, json};

use super::{CLIENT_ID, code, confidential, document, native, patched, places, web};
use crate::{lint_jwks, lint_loopback_client_id, lint_metadata};

/// Changes of a document, each with the findings.
type Cases<'a> = &'a [(&'a str, &'a [&'a str])];

const OF_WEB: Cases<'_> = &[
    ("{}", &[]),
    (r#"{"client_name": "x", "contacts": ["a@client.dev"], "software_id": 7}"#, &[]),
    // Rule C-02
    (r#"{"client_id": null}"#, &["client_id_mismatch@client_id"]),
    (r#"{"client_id": "https://app.client.dev/C.json"}"#, &["client_id_mismatch@client_id"]),
    (r#"{"client_id": 7}"#, &["member_wrong_type@client_id"]),
    (r#"{"grant_types": "authorization_code"}"#, &["member_wrong_type@grant_types"]),
    (r#"{"response_types": 7}"#, &["member_wrong_type@response_types"]),
    // Rule C-10
    (r#"{"application_type": "mobile"}"#, &["application_type_unknown@application_type"]),
    (r#"{"application_type": null}"#, &[]),
    // Rule C-11
    (
        r#"{"grant_types": null}"#,
        &["grant_types_missing_code@grant_types", "refresh_token_grant_missing@grant_types"],
    ),
    (
        r#"{"grant_types": ["authorization_code", "implicit", "authorization_code"]}"#,
        &[
            "grant_types_duplicate@grant_types[2]",
            "grant_types_unsupported@grant_types[1]",
            "refresh_token_grant_missing@grant_types",
        ],
    ),
    // Rule C-12
    (
        r#"{"response_types": ["token"]}"#,
        &[
            "response_types_missing_code@response_types",
            "response_types_unsupported@response_types[0]",
        ],
    ),
    (r#"{"response_types": ["code", "id"]}"#, &["response_types_unknown@response_types[1]"]),
    // Rules C-13, I-01
    (r#"{"scope": null}"#, &["scope_missing@scope"]),
    (r#"{"scope": " "}"#, &["scope_missing@scope"]),
    (
        r#"{"scope": "notatproto"}"#,
        &["scope_invalid_permission@scope", "scope_missing_atproto@scope"],
    ),
    (r#"{"scope": "atproto  repo:*"}"#, &["scope_bad_separator@scope"]),
    (r#"{"scope": "atproto repo:*\\"}"#, &["scope_bad_charset@scope"]),
    (r#"{"scope": "atproto repo:* atproto"}"#, &["scope_duplicate@scope"]),
    (r#"{"scope": "atproto openid"}"#, &["scope_openid@scope"]),
    (r#"{"scope": "atproto offline_access"}"#, &["scope_openid@scope"]),
    (r#"{"scope": "atproto transition:all"}"#, &["scope_invalid_permission@scope"]),
    (r#"{"scope": "atproto repo"}"#, &["scope_invalid_permission@scope"]),
    (r#"{"scope": ["atproto"]}"#, &["member_wrong_type@scope"]),
    // Rule C-14
    (r#"{"redirect_uris": []}"#, &["redirect_uris_empty@redirect_uris"]),
    (r#"{"redirect_uris": null}"#, &["redirect_uris_empty@redirect_uris"]),
    (r#"{"redirect_uris": "https://app.client.dev/cb"}"#, &["member_wrong_type@redirect_uris"]),
    (r#"{"redirect_uris": [7]}"#, &["member_wrong_type@redirect_uris[0]"]),
    (
        r#"{"redirect_uris": ["https://app.client.dev/cb", "https://app.client.dev/cb"]}"#,
        &["redirect_uri_duplicate@redirect_uris[1]"],
    ),
    // Rule C-15
    (r#"{"dpop_bound_access_tokens": null}"#, &["dpop_not_bound@dpop_bound_access_tokens"]),
    (r#"{"dpop_bound_access_tokens": false}"#, &["dpop_not_bound@dpop_bound_access_tokens"]),
    (r#"{"dpop_bound_access_tokens": "true"}"#, &["dpop_not_bound@dpop_bound_access_tokens"]),
    // Rule C-16
    (
        r#"{"token_endpoint_auth_method": null}"#,
        &["auth_method_missing@token_endpoint_auth_method"],
    ),
    (
        r#"{"token_endpoint_auth_method": "client_secret_basic"}"#,
        &["auth_method_unsupported@token_endpoint_auth_method"],
    ),
    // Rule C-17
    (
        r#"{"token_endpoint_auth_signing_alg": "none"}"#,
        &["auth_alg_on_public@token_endpoint_auth_signing_alg"],
    ),
    // Rule C-21
    (r#"{"jwks_uri": "https://app.client.dev/jwks.json"}"#, &["jwks_on_public@jwks_uri"]),
    // Rules C-22
    (r#"{"client_uri": "https://app.client.dev"}"#, &[]),
    (
        r#"{"client_uri": "http://app.client.dev/"}"#,
        &["client_uri_not_https@client_uri", "client_uri_other_host@client_uri"],
    ),
    (r#"{"client_uri": "https://other.client.dev/"}"#, &["client_uri_other_host@client_uri"]),
    (r#"{"client_uri": "https://app.client.dev/home"}"#, &["client_uri_not_parent@client_uri"]),
    (r#"{"logo_uri": "http://app.client.dev/l.png"}"#, &["logo_uri_not_https@logo_uri"]),
    (r#"{"tos_uri": "ftp://app.client.dev/tos"}"#, &["tos_uri_not_https@tos_uri"]),
    (r#"{"policy_uri": "javascript:alert(1)"}"#, &["policy_uri_not_https@policy_uri"]),
    (r#"{"logo_uri": "l.png"}"#, &["page_not_url@logo_uri"]),
    (r#"{"tos_uri": "https://u@app.client.dev/tos"}"#, &["page_userinfo@tos_uri"]),
    (r#"{"policy_uri": "https://10.0.0.1/policy"}"#, &["page_local_host@policy_uri"]),
    (r#"{"contacts": ["a@client.dev", "client.dev"]}"#, &["contact_not_address@contacts[1]"]),
    (r#"{"contacts": "a@client.dev"}"#, &["member_wrong_type@contacts"]),
    (r#"{"client_name": 7}"#, &["member_wrong_type@client_name"]),
    (r#"{"require_auth_time": "true"}"#, &["member_wrong_type@require_auth_time"]),
    // Rule C-23
    (r#"{"client_secret": "s3cret"}"#, &["forbidden_field@client_secret"]),
    (r#"{"client_secret_expires_at": 0}"#, &["forbidden_field@client_secret_expires_at"]),
    (r#"{"default_max_age": 1}"#, &["forbidden_field@default_max_age"]),
    (r#"{"userinfo_signed_response_alg": "x"}"#, &["forbidden_field@userinfo_signed_response_alg"]),
    (r#"{"subject_type": "pairwise"}"#, &["forbidden_field@subject_type"]),
    (r#"{"subject_type": "public", "tls_client_certificate_bound_access_tokens": false}"#, &[]),
    (
        r#"{"tls_client_certificate_bound_access_tokens": true}"#,
        &["forbidden_field@tls_client_certificate_bound_access_tokens"],
    ),
];

const OF_CONFIDENTIAL: Cases<'_> = &[
    ("{}", &[]),
    (r#"{"application_type": "native"}"#, &["native_confidential@token_endpoint_auth_method"]),
    // Rule C-17
    (
        r#"{"token_endpoint_auth_signing_alg": null}"#,
        &["auth_alg_missing@token_endpoint_auth_signing_alg"],
    ),
    (
        r#"{"token_endpoint_auth_signing_alg": "none"}"#,
        &["auth_alg_none@token_endpoint_auth_signing_alg"],
    ),
    (
        r#"{"token_endpoint_auth_signing_alg": "RS256"}"#,
        &["auth_alg_not_es256@token_endpoint_auth_signing_alg"],
    ),
    (
        r#"{"token_endpoint_auth_signing_alg": "HS256"}"#,
        &["auth_alg_unknown@token_endpoint_auth_signing_alg"],
    ),
    // Rules C-18, C-19
    (r#"{"jwks_uri": "https://app.client.dev/jwks.json"}"#, &["jwks_and_jwks_uri@jwks"]),
    (r#"{"jwks": null}"#, &["jwks_missing@jwks"]),
    (r#"{"jwks": {"keys": []}}"#, &["jwks_empty@jwks.keys"]),
    (r#"{"jwks": {"keys": null}}"#, &["jwks_empty@jwks.keys"]),
    (r#"{"jwks": []}"#, &["member_wrong_type@jwks"]),
    (r#"{"jwks": null, "jwks_uri": "http://app.client.dev/j"}"#, &["jwks_uri_not_https@jwks_uri"]),
    (r#"{"jwks": null, "jwks_uri": "https://app.local/j"}"#, &["page_local_host@jwks_uri"]),
    (r#"{"jwks": {"keys": [7]}}"#, &["jwks_key_malformed@jwks.keys[0]", "jwks_no_es256@jwks.keys"]),
];

/// Changes of the first of two keys.
const OF_KEYS: Cases<'_> = &[
    // Rule C-18
    (r#"{"d": "s3cret"}"#, &["jwks_private_material@keys[0].d"]),
    (r#"{"k": "s3cret"}"#, &["jwks_private_material@keys[0].k"]),
    (r#"{"kid": null}"#, &["jwks_kid_missing@keys[0].kid"]),
    (r#"{"kid": " "}"#, &["jwks_kid_missing@keys[0].kid"]),
    (r#"{"kid": 7}"#, &["member_wrong_type@keys[0].kid"]),
    (r#"{"kid": "k2"}"#, &["jwks_kid_duplicate@keys[1].kid"]),
    (r#"{"x": "AAAA"}"#, &["jwks_coordinate_length@keys[0].x"]),
    (r#"{"x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#, &["jwks_key_malformed@keys[0]"]),
    (r#"{"y": null}"#, &["jwks_coordinate_length@keys[0].y"]),
    (r#"{"kty": null}"#, &["jwks_key_malformed@keys[0]"]),
    (r#"{"alg": "ES384"}"#, &["jwks_key_alg@keys[0]"]),
    (r#"{"alg": null}"#, &["jwks_key_alg@keys[0]"]),
    (r#"{"use": "enc"}"#, &["jwks_key_use@keys[0]"]),
    (r#"{"use": null, "key_ops": ["verify"]}"#, &[]),
    (r#"{"kty": "RSA", "alg": "RS256", "crv": null}"#, &[]),
];

const OF_REDIRECT_URIS: &[(&str, &str, &str)] = &[
    // The findings of a web client, and of a native client; rules C-30 to C-32, C-34, C-35
    ("https://app.client.dev/cb2", "", ""),
    ("https://other.client.dev/cb", "", "redirect_uri_native_https_other_origin"),
    ("cb", "redirect_uri_not_url", "redirect_uri_not_url"),
    ("https://App.client.dev/cb", "redirect_uri_not_canonical", "redirect_uri_not_canonical"),
    ("https://app.client.dev:443/cb", "redirect_uri_default_port", "redirect_uri_default_port"),
    ("https://u:p@app.client.dev/cb", "redirect_uri_userinfo", "redirect_uri_userinfo"),
    ("https://app.client.dev/cb#x", "redirect_uri_fragment", "redirect_uri_fragment"),
    ("https://10.0.0.1/cb", "redirect_uri_not_public", "redirect_uri_not_public"),
    ("https://app.local/cb", "redirect_uri_not_public", "redirect_uri_not_public"),
    ("javascript:alert(1)", "redirect_uri_bad_scheme", "redirect_uri_bad_scheme"),
    (
        "http://app.client.dev/cb",
        "redirect_uri_http_non_loopback",
        "redirect_uri_http_non_loopback",
    ),
    ("http://127.0.0.2/cb", "redirect_uri_http_non_loopback", "redirect_uri_http_non_loopback"),
    (
        "http://localhost.evil.com/",
        "redirect_uri_http_non_loopback",
        "redirect_uri_http_non_loopback",
    ),
    ("http://localhost/cb", "redirect_uri_localhost", "redirect_uri_localhost"),
    ("https://localhost/cb", "redirect_uri_localhost", "redirect_uri_localhost"),
    ("http://[::1]:8080/cb", "redirect_uri_loopback_on_web", ""),
    ("https://127.0.0.1/cb", "redirect_uri_loopback_https", "redirect_uri_loopback_https"),
    ("dev.client.app:/cb2", "redirect_uri_custom_scheme_on_web", ""),
    (
        "DEV.client.app:/cb2",
        "redirect_uri_not_canonical redirect_uri_custom_scheme_on_web",
        "redirect_uri_not_canonical",
    ),
    ("dev.other:/cb", "redirect_uri_custom_scheme_on_web", "redirect_uri_custom_scheme_mismatch"),
    (
        "dev.client.app://cb",
        "redirect_uri_custom_scheme_on_web",
        "redirect_uri_custom_scheme_double_slash",
    ),
    (
        "dev.client.app:cb",
        "redirect_uri_custom_scheme_on_web",
        "redirect_uri_custom_scheme_no_slash",
    ),
    ("myapp:/cb", "redirect_uri_custom_scheme_on_web", "redirect_uri_custom_scheme_no_dot"),
];

const OF_CLIENT_IDS: &[(&str, &[&str])] = &[
    // Rule C-03
    ("c.json", &["client_id_not_url"]),
    ("http://app.client.dev/c.json", &["client_id_not_https"]),
    ("https://app.client.dev:8443/c.json", &["client_id_has_port"]),
    ("https://u:p@app.client.dev/c.json", &["client_id_has_userinfo"]),
    ("https://app.client.dev/c.json#x", &["client_id_has_fragment"]),
    ("https://app.client.dev", &["client_id_no_path"]),
    ("https://app.client.dev/c/", &["client_id_trailing_slash"]),
    ("https://app.client.dev/a/../c.json", &["client_id_dot_segments"]),
    ("https://APP.client.dev/c.json", &["client_id_not_canonical"]),
    ("https://127.0.0.1/c.json", &["client_id_ip_host"]),
    ("https://app.local/c.json", &["client_id_local_host"]),
    ("https://app.client.dev/c.json?a=b", &["client_id_query"]),
    (
        "https://app:8443/c/?x",
        &[
            "client_id_has_port",
            "client_id_local_host",
            "client_id_query",
            "client_id_trailing_slash",
        ],
    ),
];

const OF_LOOPBACK: Cases<'_> = &[
    // Rules C-45 to C-47
    ("http://localhost", &[]),
    ("http://localhost/?scope=atproto&redirect_uri=http://127.0.0.1/cb", &[]),
    ("http://localhosts", &["loopback_client_id_not_localhost@client_id"]),
    ("https://localhost", &["loopback_client_id_not_localhost@client_id"]),
    ("http://localhost:8080/?scope=atproto", &["loopback_client_id_port@client_id"]),
    ("http://localhost/c.json", &["loopback_client_id_path@client_id"]),
    ("http://localhost#x", &["loopback_client_id_fragment@client_id"]),
    ("http://localhost?scope=atproto#x", &["loopback_client_id_fragment@client_id"]),
    ("http://localhost?scope=atproto repo:*", &["loopback_client_id_not_encoded@client_id"]),
    ("http://localhost?x=y&x=z", &["loopback_client_id_unknown_param@client_id"]),
    ("http://localhost?scope=atproto&scope=a", &["loopback_client_id_duplicate_scope@client_id"]),
    ("http://localhost?scope=", &["scope_missing@scope"]),
    (
        "http://localhost:1/c?redirect_uri=http://localhost/&redirect_uri=https://[::1]/&scope=x&y",
        &[
            "loopback_client_id_path@client_id",
            "loopback_client_id_port@client_id",
            "loopback_client_id_unknown_param@client_id",
            "redirect_uri_localhost@redirect_uris[0]",
            "redirect_uri_loopback_https@redirect_uris[1]",
            "scope_invalid_permission@scope",
            "scope_missing_atproto@scope",
        ],
    ),
    (
        "http://localhost?redirect_uri=https://app.client.dev/cb",
        &["redirect_uri_not_loopback@redirect_uris[0]"],
    ),
    (
        "http://localhost?redirect_uri=http://10.0.0.1/cb",
        &["redirect_uri_http_non_loopback@redirect_uris[0]"],
    ),
];

/// Documents of bytes, with the findings as metadata and as a JWK Set.
fn of_bytes() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let large = format!("{{\"x\": \"{}\"}}", "y".repeat(512 * 1024));
    vec![
        (b"".to_vec(), "document_not_json", "jwks_not_json"),
        (b"{".to_vec(), "document_not_json", "jwks_not_json"),
        (b"{\"x\": \"\xff\"}".to_vec(), "document_not_json", "jwks_not_json"),
        ("[".repeat(1000).into_bytes(), "document_not_json", "jwks_not_json"),
        (b"{} {}".to_vec(), "document_not_json", "jwks_not_json"),
        (b"[]".to_vec(), "document_not_object", "jwks_not_object"),
        (b"null".to_vec(), "document_not_object", "jwks_not_object"),
        (large.into_bytes(), "document_too_large", "jwks_uri_too_large"),
    ]
}

/// The codes that have a case here.
pub(super) fn covered() -> Vec<&'static str> {
    let mut covered: Vec<_> = [OF_WEB, OF_CONFIDENTIAL, OF_KEYS, OF_LOOPBACK, OF_CLIENT_IDS]
        .iter()
        .flat_map(|cases| cases.iter())
        .flat_map(|(_, places)| places.iter().map(|place| code(place)))
        .collect();
    covered.extend(OF_REDIRECT_URIS.iter().flat_map(|(_, web, native)| [*web, *native]));
    covered.extend(of_bytes().iter().flat_map(|(_, metadata, jwks)| [*metadata, *jwks]));
    covered.push("member_duplicate");
    covered
}

fn lint(document: &Value) -> Vec<String> {
    places(&lint_metadata(CLIENT_ID, document.to_string().as_bytes()))
}

#[test]
fn each_broken_rule_of_a_document_is_found_at_its_member() {
    // Rule C-25
    for (base, cases) in [(document(web()), OF_WEB), (document(confidential()), OF_CONFIDENTIAL)] {
        for (patch, expected) in cases {
            let patch_value = serde_json::from_str(patch).unwrap();
            assert_eq!(lint(&patched(base.clone(), &patch_value)), *expected, "{patch}");
        }
    }
}

#[test]
fn each_broken_rule_of_a_redirect_uri_is_found() {
    // Rules C-30, C-31, C-32, C-34, C-35
    for (uri, on_web, on_native) in OF_REDIRECT_URIS {
        for (base, expected) in [(document(web()), on_web), (document(native()), on_native)] {
            let document = patched(base, &json!({"redirect_uris": [uri]}));
            let expected = expected.split(' ').filter(|code| !code.is_empty());
            let mut expected: Vec<_> =
                expected.map(|code| format!("{code}@redirect_uris[0]")).collect();
            expected.sort();
            assert_eq!(lint(&document), expected, "{uri}");
        }
    }
    // Without a readable client_id, nothing is compared with it.
    let document = document(native()).to_string();
    let found = places(&lint_metadata("c.json", document.as_bytes()));
    assert_eq!(found, ["client_id_mismatch@client_id", "client_id_not_url@client_id"]);
}

#[test]
fn each_broken_rule_of_a_client_id_is_found() {
    // Rules C-02, C-03
    for (client_id, expected) in OF_CLIENT_IDS {
        let document = json!({"client_id": client_id});
        let found = lint_metadata(client_id, document.to_string().as_bytes());
        let found: Vec<_> = places(&found)
            .into_iter()
            .filter_map(|place| place.strip_suffix("@client_id").map(str::to_owned))
            .collect();
        assert_eq!(found, *expected, "{client_id}");
    }
    for (client_id, expected) in OF_LOOPBACK {
        assert_eq!(places(&lint_loopback_client_id(client_id)), *expected, "{client_id}");
    }
}

#[test]
fn each_broken_rule_of_a_key_is_found() {
    // Rules C-18, F-07
    let set = document(confidential())["jwks"].clone();
    for (patch, expected) in OF_KEYS {
        let mut set = set.clone();
        set["keys"][0] = patched(set["keys"][0].clone(), &serde_json::from_str(patch).unwrap());
        assert_eq!(places(&lint_jwks(set.to_string().as_bytes())), *expected, "{patch}");
        // The only key that remains cannot be used.
        set["keys"].as_array_mut().unwrap().remove(1);
        let found = places(&lint_jwks(set.to_string().as_bytes()));
        let is_unusable =
            ["\"x\"", "\"y\"", "kty", "ES384", "enc"].iter().any(|part| patch.contains(part));
        assert_eq!(found.contains(&"jwks_no_es256@keys".to_owned()), is_unusable, "{patch}");
    }
}

#[test]
fn bytes_that_are_no_document_have_one_finding() {
    for (bytes, metadata, jwks) in of_bytes() {
        assert_eq!(places(&lint_metadata(CLIENT_ID, &bytes)), [metadata]);
        assert_eq!(places(&lint_jwks(&bytes)), [jwks]);
    }
    let marked = format!("\u{feff}{}", document(web()));
    assert_eq!(places(&lint_metadata(CLIENT_ID, marked.as_bytes())), [""; 0]);
}

#[test]
fn a_member_that_is_there_twice_is_found() {
    let document = document(web()).to_string();
    let twice = document.replacen('{', r#"{"scope":"atproto","x":1,"x":1e999,"#, 1);
    let found = places(&lint_metadata(CLIENT_ID, twice.as_bytes()));
    assert_eq!(found, ["member_duplicate@scope", "member_duplicate@x"]);
}
