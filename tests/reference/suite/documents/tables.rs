//! Documents and client ids in which the lint finds an error, by the judgement of the server.

use atproto_oauth_core::ClientBuilder;

use super::{JWKS_URI, confidential, key, native, url, web};

/// The document of a builder that a row changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Base {
    Web,
    Native,
    Confidential,
    /// Confidential with the keys `k1`, with which it signs, and `k2`.
    TwoKeys,
    /// Confidential, with its keys at the `jwks_uri`. The row changes the JWK Set, not the document.
    JwksUri,
}
use Base::{Confidential, JwksUri, Native, TwoKeys, Web};

impl Base {
    pub(super) fn builder(self) -> ClientBuilder {
        match self {
            Web => web(),
            Native => native(),
            Confidential => confidential(),
            TwoKeys => confidential().key(key("k2")),
            JwksUri => confidential().jwks_uri(url(JWKS_URI)),
        }
    }
}

/// A changed document: code of the finding, base, merge patch (RFC 7396), and a part of the server's
/// description of the error, which shows that the document is the reason.
pub(super) type Row = (&'static str, Base, &'static str, &'static str);

pub(super) const REFUSED: &[Row] = &[
    // Types of members
    ("member_wrong_type", Web, r#"{"scope": ["atproto"]}"#, "\"scope\" failed"),
    ("member_wrong_type", Web, r#"{"client_name": 7}"#, "\"client_name\" failed"),
    ("contact_not_address", Web, r#"{"contacts": ["client.dev"]}"#, "\"contacts.0\" failed"),
    (
        "application_type_unknown",
        Web,
        r#"{"application_type": "mobile"}"#,
        "\"application_type\" failed",
    ),
    // client_id
    (
        "client_id_mismatch",
        Web,
        r#"{"client_id": "https://app.client.dev/other.json"}"#,
        "client_id does not match",
    ),
    ("client_id_mismatch", Web, r#"{"client_id": null}"#, "client_id is required"),
    // Grants
    (
        "grant_types_missing_code",
        Web,
        r#"{"grant_types": ["refresh_token"]}"#,
        "requires that \"grant_types\"",
    ),
    (
        "grant_types_unsupported",
        Web,
        r#"{"grant_types": ["authorization_code", "implicit"]}"#,
        "\"implicit\" is not allowed",
    ),
    (
        "grant_types_unsupported",
        Web,
        r#"{"grant_types": ["authorization_code", "password"]}"#,
        "\"password\" is not supported",
    ),
    (
        "grant_types_duplicate",
        Web,
        r#"{"grant_types": ["authorization_code", "refresh_token", "authorization_code"]}"#,
        "Duplicate grant type",
    ),
    (
        "response_types_missing_code",
        Web,
        r#"{"response_types": ["token"]}"#,
        "must include \"code\"",
    ),
    (
        "response_types_unknown",
        Web,
        r#"{"response_types": ["code", "id"]}"#,
        "\"response_types.1\" failed",
    ),
    // Scopes
    ("scope_missing", Web, r#"{"scope": null}"#, "Missing scope property"),
    ("scope_missing", Web, r#"{"scope": ""}"#, "Invalid OAuth scope"),
    (
        "scope_missing_atproto",
        Web,
        r#"{"scope": "transition:generic"}"#,
        "Missing \"atproto\" scope",
    ),
    (
        "scope_bad_separator",
        Web,
        r#"{"scope": "atproto  transition:generic"}"#,
        "Invalid OAuth scope",
    ),
    (
        "scope_bad_charset",
        Web,
        r#"{"scope": "atproto transition:generic\\"}"#,
        "Invalid OAuth scope",
    ),
    (
        "scope_duplicate",
        Web,
        r#"{"scope": "atproto transition:generic atproto"}"#,
        "Duplicate scope",
    ),
    (
        "scope_not_declared",
        Web,
        r#"{"scope": "atproto"}"#,
        "is not declared in the client metadata",
    ),
    // Redirect URIs
    ("redirect_uris_empty", Web, r#"{"redirect_uris": []}"#, "\"redirect_uris\" failed"),
    ("redirect_uris_empty", Web, r#"{"redirect_uris": null}"#, "\"redirect_uris\" failed"),
    (
        "redirect_uri_not_listed",
        Web,
        r#"{"redirect_uris": ["https://app.client.dev/cb"]}"#,
        "Invalid redirect_uri",
    ),
    (
        "redirect_uri_not_url",
        Web,
        r#"{"redirect_uris": ["callback"]}"#,
        "\"redirect_uris.0\" failed",
    ),
    (
        "redirect_uri_bad_scheme",
        Native,
        r#"{"redirect_uris": ["javascript:alert(1)"]}"#,
        "\"redirect_uris.0\" failed",
    ),
    (
        "redirect_uri_http_non_loopback",
        Web,
        r#"{"redirect_uris": ["http://app.client.dev/"]}"#,
        "\"redirect_uris.0\" failed",
    ),
    (
        "redirect_uri_localhost",
        Native,
        r#"{"redirect_uris": ["http://localhost/cb"]}"#,
        "\"redirect_uris.0\" failed",
    ),
    (
        "redirect_uri_not_public",
        Web,
        r#"{"redirect_uris": ["https://app.local/cb"]}"#,
        "must not end with \".local\"",
    ),
    (
        "redirect_uri_loopback_on_web",
        Web,
        r#"{"redirect_uris": ["http://127.0.0.1/cb"]}"#,
        "only allowed for native apps",
    ),
    (
        "redirect_uri_loopback_https",
        Native,
        r#"{"redirect_uris": ["https://127.0.0.1/cb"]}"#,
        "must not use a loopback host",
    ),
    (
        "redirect_uri_custom_scheme_on_web",
        Web,
        r#"{"redirect_uris": ["dev.client.app:/cb"]}"#,
        "only allowed for native apps",
    ),
    (
        "redirect_uri_custom_scheme_mismatch",
        Native,
        r#"{"redirect_uris": ["dev.other:/cb"]}"#,
        "in reverse order",
    ),
    (
        "redirect_uri_custom_scheme_double_slash",
        Native,
        r#"{"redirect_uris": ["dev.client.app://cb"]}"#,
        "\"redirect_uris.0\" failed",
    ),
    (
        "redirect_uri_custom_scheme_no_dot",
        Native,
        r#"{"redirect_uris": ["myapp:/cb"]}"#,
        "\"redirect_uris.0\" failed",
    ),
    (
        "redirect_uri_userinfo",
        Web,
        r#"{"redirect_uris": ["https://u:p@app.client.dev/cb"]}"#,
        "must not contain credentials",
    ),
    // DPoP and client authentication
    ("dpop_not_bound", Web, r#"{"dpop_bound_access_tokens": null}"#, "must be true"),
    ("dpop_not_bound", Web, r#"{"dpop_bound_access_tokens": false}"#, "must be true"),
    (
        "auth_method_missing",
        Web,
        r#"{"token_endpoint_auth_method": null}"#,
        "Unsupported client authentication method",
    ),
    (
        "auth_method_unsupported",
        Web,
        r#"{"token_endpoint_auth_method": "client_secret_basic"}"#,
        "Unsupported client authentication method",
    ),
    (
        "auth_method_unsupported",
        Web,
        r#"{"token_endpoint_auth_method": "x"}"#,
        "\"token_endpoint_auth_method\" failed",
    ),
    (
        "auth_method_differs",
        Web,
        r#"{"token_endpoint_auth_method": "private_key_jwt"}"#,
        "requires jwks or jwks_uri",
    ),
    (
        "auth_alg_on_public",
        Web,
        r#"{"token_endpoint_auth_signing_alg": "ES256"}"#,
        "must not have token_endpoint_auth_signing_alg",
    ),
    (
        "auth_alg_missing",
        Confidential,
        r#"{"token_endpoint_auth_signing_alg": null}"#,
        "Missing token_endpoint_auth_signing_alg",
    ),
    (
        "native_confidential",
        Confidential,
        r#"{"application_type": "native"}"#,
        "must authenticate using \"none\"",
    ),
    // Keys
    (
        "jwks_and_jwks_uri",
        Confidential,
        r#"{"jwks_uri": "https://app.client.dev/judged/jwks.json"}"#,
        "mutually exclusive",
    ),
    ("jwks_missing", Confidential, r#"{"jwks": null}"#, "requires jwks or jwks_uri"),
    ("jwks_empty", Confidential, r#"{"jwks": {"keys": []}}"#, "at least one key in jwks"),
    (
        "jwks_private_material",
        Confidential,
        r#"{"jwks": {"keys": [{"d": "AAAA"}]}}"#,
        "at least one key in jwks",
    ),
    (
        "jwks_kid_missing",
        Confidential,
        r#"{"jwks": {"keys": [{"kid": null}]}}"#,
        "at least one key in jwks",
    ),
    (
        "jwks_key_malformed",
        Confidential,
        r#"{"jwks": {"keys": [{"kty": null}]}}"#,
        "at least one key in jwks",
    ),
    (
        "jwks_coordinate_length",
        Confidential,
        r#"{"jwks": {"keys": [{"y": null}]}}"#,
        "at least one key in jwks",
    ),
    (
        "jwks_coordinate_length",
        Confidential,
        r#"{"jwks": {"keys": [{"x": "AAAA"}]}}"#,
        "Unable to verify",
    ),
    (
        "jwks_no_es256",
        Confidential,
        r#"{"jwks": {"keys": [{"use": "enc"}]}}"#,
        "no applicable key found",
    ),
    (
        "jwks_key_not_published",
        Confidential,
        r#"{"jwks": {"keys": [{"kid": "k2"}]}}"#,
        "no applicable key found",
    ),
    ("jwks_kid_duplicate", TwoKeys, r#"{"jwks": {"keys": [{}, {"kid": "k1"}]}}"#, "multiple"),
    (
        "jwks_uri_not_https",
        Confidential,
        r#"{"jwks": null, "jwks_uri": "http://app.client.dev/j"}"#,
        "\"jwks_uri\" failed",
    ),
    ("jwks_not_object", JwksUri, "[]", "Expected object, received array"),
    ("jwks_not_json", JwksUri, r#""{""#, "Unable to parse response as JSON"),
    ("jwks_empty", JwksUri, r#"{"keys": []}"#, "no applicable key found"),
    ("jwks_private_material", JwksUri, r#"{"keys": [{"d": "AAAA"}]}"#, "no applicable key found"),
    ("jwks_kid_missing", JwksUri, r#"{"keys": [{"kid": null}]}"#, "no applicable key found"),
    // Pages
    (
        "client_uri_not_https",
        Web,
        r#"{"client_uri": "http://app.client.dev/"}"#,
        "\"client_uri\" failed",
    ),
    (
        "client_uri_other_host",
        Web,
        r#"{"client_uri": "https://other.client.dev/"}"#,
        "same origin as the client_id",
    ),
    (
        "client_uri_not_parent",
        Web,
        r#"{"client_uri": "https://app.client.dev/home"}"#,
        "parent URL of the client_id",
    ),
    (
        "logo_uri_not_https",
        Web,
        r#"{"logo_uri": "http://app.client.dev/l.png"}"#,
        "\"logo_uri\" failed",
    ),
    ("tos_uri_not_https", Web, r#"{"tos_uri": "ftp://app.client.dev/tos"}"#, "\"tos_uri\" failed"),
    (
        "policy_uri_not_https",
        Web,
        r#"{"policy_uri": "javascript:alert(1)"}"#,
        "\"policy_uri\" failed",
    ),
    ("page_not_url", Web, r#"{"logo_uri": "l.png"}"#, "\"logo_uri\" failed"),
    (
        "page_local_host",
        Web,
        r#"{"tos_uri": "https://app.local/tos"}"#,
        "must not end with \".local\"",
    ),
    // Members for other kinds of clients
    ("forbidden_field", Web, r#"{"default_max_age": 1}"#, "\"default_max_age\""),
    (
        "forbidden_field",
        Web,
        r#"{"userinfo_signed_response_alg": "ES256"}"#,
        "\"userinfo_signed_response_alg\"",
    ),
    ("forbidden_field", Web, r#"{"subject_type": "pairwise"}"#, "Only \"public\""),
    (
        "forbidden_field",
        Web,
        r#"{"tls_client_certificate_bound_access_tokens": true}"#,
        "Mutual-TLS",
    ),
    // Texts instead of objects
    ("document_not_json", Web, r#""""#, "Unable to parse response as JSON"),
    ("document_not_json", Web, r#""{""#, "Unable to parse response as JSON"),
    ("document_not_object", Web, "[]", "Expected object, received array"),
    ("document_not_object", Web, "7", "Expected object, received number"),
];

/// Client ids of documents that are right apart from the id.
pub(super) const REFUSED_IDS: &[(&str, &str)] = &[
    ("client_id_not_url", "c.json"),
    ("client_id_not_https", "http://app.client.dev/c.json"),
    ("client_id_has_userinfo", "https://u:p@app.client.dev/c.json"),
    ("client_id_has_fragment", "https://app.client.dev/c.json#x"),
    ("client_id_no_path", "https://app.client.dev"),
    ("client_id_trailing_slash", "https://app.client.dev/c/"),
    ("client_id_dot_segments", "https://app.client.dev/a/../c.json"),
    ("client_id_not_canonical", "https://APP.client.dev/c.json"),
    ("client_id_ip_host", "https://127.0.0.1/c.json"),
    ("client_id_ip_host", "https://203.0.113.1/c.json"),
    ("client_id_local_host", "https://app.local/c.json"),
];

/// Loopback client ids.
pub(super) const REFUSED_LOOPBACK: &[(&str, &str)] = &[
    ("loopback_client_id_not_localhost", "http://localhosts"),
    ("loopback_client_id_port", "http://localhost:8080/?scope=atproto"),
    ("loopback_client_id_path", "http://localhost/c.json"),
    ("loopback_client_id_fragment", "http://localhost?scope=atproto#x"),
    ("loopback_client_id_unknown_param", "http://localhost?x=y"),
    ("loopback_client_id_duplicate_scope", "http://localhost?scope=atproto&scope=atproto"),
    ("scope_missing", "http://localhost?scope="),
    ("scope_missing_atproto", "http://localhost?scope=transition:generic"),
    ("redirect_uri_not_loopback", "http://localhost?redirect_uri=https://app.client.dev/cb"),
    ("redirect_uri_http_non_loopback", "http://localhost?redirect_uri=http://203.0.113.1/cb"),
    ("redirect_uri_localhost", "http://localhost?redirect_uri=http://localhost/cb"),
];

/// Documents in which the lint finds an error although the reference server accepts them. The lint
/// applies the rule because a specification states it, or because other servers may apply it.
pub(super) const LENIENT: &[(&str, Base, &str)] = &[
    // AT Protocol OAuth requires the member; RFC 7591 gives it the default `authorization_code`, with
    // which the server never issues a refresh token.
    ("grant_types_missing_code", Web, r#"{"grant_types": null}"#),
    // AT Protocol OAuth requires the member; RFC 7591 gives it the default `code`.
    ("response_types_missing_code", Web, r#"{"response_types": null}"#),
    // AT Protocol has no OpenID Connect. The server checks only the scopes of a request.
    ("scope_openid", Web, r#"{"scope": "atproto transition:generic openid"}"#),
    // The server looks for local names, not for IP addresses.
    (
        "redirect_uri_not_public",
        Web,
        r#"{"redirect_uris": ["https://app.client.dev/callback", "https://203.0.113.1/cb"]}"#,
    ),
    // RFC 6749 section 3.1.2 forbids a fragment.
    (
        "redirect_uri_fragment",
        Web,
        r#"{"redirect_uris": ["https://app.client.dev/callback", "https://app.client.dev/cb#x"]}"#,
    ),
    // The server compares redirect URIs as strings, and a URL library removes the default port.
    (
        "redirect_uri_default_port",
        Web,
        r#"{"redirect_uris": ["https://app.client.dev/callback", "https://app.client.dev:443/"]}"#,
    ),
    // AT Protocol OAuth requires the origin of the `client_id`. The server permits universal links.
    (
        "redirect_uri_native_https_other_origin",
        Native,
        r#"{"redirect_uris": ["dev.client.app:/callback", "https://other.client.dev/cb"]}"#,
    ),
    // AT Protocol OAuth requires exactly one slash; the server forbids only the second one.
    (
        "redirect_uri_custom_scheme_no_slash",
        Native,
        r#"{"redirect_uris": ["dev.client.app:/callback", "dev.client.app:cb"]}"#,
    ),
    // The server does not compare the algorithm of an assertion with the declared algorithm.
    ("auth_alg_none", Confidential, r#"{"token_endpoint_auth_signing_alg": "none"}"#),
    ("auth_alg_unknown", Confidential, r#"{"token_endpoint_auth_signing_alg": "HS256"}"#),
    // The server checks that pages are URLs, and does not fetch them.
    ("page_userinfo", Web, r#"{"tos_uri": "https://u@app.client.dev/tos"}"#),
    ("page_local_host", Web, r#"{"tos_uri": "https://10.0.0.1/tos"}"#),
    // The Client ID Metadata Document draft forbids a secret. The server ignores unknown members.
    ("forbidden_field", Web, r#"{"client_secret": "s3cret"}"#),
];

/// Client ids in which the lint finds an error although the reference server accepts them: AT Protocol
/// OAuth forbids a port, and a query that is not form-encoded is read differently by other parsers.
pub(super) const LENIENT_IDS: &[(&str, &str)] = &[
    ("client_id_has_port", "https://app.client.dev:8443/c.json"),
    ("loopback_client_id_not_encoded", "http://localhost?scope=atproto repo:*"),
];

/// Codes of errors that depend on the responses of the client's host, whose documents the network
/// provides without a connection. The parity cases of client documents have responses of most kinds.
pub(super) const OF_RESPONSES: [&str; 10] = [
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

/// Code of an error that is judged by a test of its own.
pub(super) const DUPLICATE: &str = "member_duplicate";
