//! `GET <issuer>/.well-known/oauth-authorization-server`
//!
//! Fetches the metadata of an authorization server: its endpoints and its features.
//!
//! The `issuer` of the document must be exactly the origin that the document was fetched from, and
//! the document must declare all features that the atproto OAuth profile requires. All broken
//! rules are reported together.
//!
//! RFC 8414; atproto OAuth, «Server Metadata».

use atproto_sansio::{Body, Endpoint, Fresh, How};
use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::discovery::fetch::Document;
use crate::discovery::metadata::{Check, DiscoveryError, Problem, document, get, how};
use crate::error::Error;
use crate::json::Member;
use crate::origin::Origin;

/// Checked metadata of an authorization server (RFC 8414): the members that a client uses.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ServerMetadata {
    /// Origin of the authorization server. Sessions and client assertions name it.
    pub issuer: Origin,
    /// URL that the browser opens, with the `request_uri` of the pushed request.
    pub authorization_endpoint: Url,
    /// URL at which authorization codes and refresh tokens are exchanged.
    pub token_endpoint: Url,
    /// URL at which authorization requests are pushed (RFC 9126).
    pub pushed_authorization_request_endpoint: Url,
    /// URL at which tokens are revoked (RFC 7009); `None` if the server does not support it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<Url>,
    /// Origins of the PDSs that the server issues tokens for; `None` if it lists none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_resources: Option<Vec<String>>,
    /// Values of `prompt` that the server supports; `None` if the list is missing or malformed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_values_supported: Option<Vec<String>>,
}

/// The endpoint that serves the metadata of one authorization server.
#[derive(Clone, Debug)]
pub struct ServerMetadataEndpoint {
    /// Origin of the authorization server.
    pub issuer: Origin,
    /// Whether development hosts are allowed: loopback and `.test`, also with plain http.
    pub development: bool,
}

/// Members that are checked. Unknown members are ignored; a duplicate of a member listed here is
/// an error.
#[derive(Deserialize)]
struct Members {
    issuer: Option<Member>,
    authorization_endpoint: Option<Member>,
    token_endpoint: Option<Member>,
    pushed_authorization_request_endpoint: Option<Member>,
    revocation_endpoint: Option<Member>,
    response_types_supported: Option<Member>,
    grant_types_supported: Option<Member>,
    code_challenge_methods_supported: Option<Member>,
    token_endpoint_auth_methods_supported: Option<Member>,
    token_endpoint_auth_signing_alg_values_supported: Option<Member>,
    scopes_supported: Option<Member>,
    authorization_response_iss_parameter_supported: Option<Member>,
    require_pushed_authorization_requests: Option<Member>,
    require_request_uri_registration: Option<Member>,
    dpop_signing_alg_values_supported: Option<Member>,
    client_id_metadata_document_supported: Option<Member>,
    protected_resources: Option<Member>,
    prompt_values_supported: Option<Member>,
}

impl ServerMetadata {
    /// Whether `protected_resources` contains `resource`; also true without that member.
    pub fn protects(&self, resource: &Origin) -> bool {
        let listed = |list: &Vec<String>| list.iter().any(|listed| listed == resource.as_str());
        self.protected_resources.as_ref().is_none_or(listed)
    }
}

impl ServerMetadataEndpoint {
    /// URL of the document, below the origin of the server.
    pub fn url(&self) -> String {
        format!("{}/.well-known/oauth-authorization-server", self.issuer)
    }

    fn check(&self, document: &Members) -> Result<ServerMetadata, DiscoveryError> {
        let mut check = Check { development: self.development, ..Check::default() };
        let issuer = check.string("issuer", document.issuer.as_deref());
        if issuer.is_some_and(|found| found != self.issuer.as_str()) {
            check.broken("issuer", Problem::IsNot { expected: self.issuer.to_string() });
        }
        check_features(document, &mut check);
        let protected_resources = document
            .protected_resources
            .as_deref()
            .and_then(|value| check.strings("protected_resources", Some(value)));
        let authorization_endpoint =
            check.endpoint("authorization_endpoint", document.authorization_endpoint.as_deref());
        let token_endpoint = check.endpoint("token_endpoint", document.token_endpoint.as_deref());
        let pushed = check.endpoint(
            "pushed_authorization_request_endpoint",
            document.pushed_authorization_request_endpoint.as_deref(),
        );
        // An optional member of another type counts as absent. A string that is no https URL is the
        // mistake of an operator, who is told of it.
        let revocation_endpoint = document
            .revocation_endpoint
            .as_deref()
            .filter(|value| value.is_string())
            .and_then(|value| check.endpoint("revocation_endpoint", Some(value)));
        check.finish(&self.url())?;
        let (Some(authorization_endpoint), Some(token_endpoint), Some(pushed)) =
            (authorization_endpoint, token_endpoint, pushed)
        else {
            unreachable!("a document without violations has all endpoints")
        };
        Ok(ServerMetadata {
            issuer: self.issuer.clone(),
            authorization_endpoint,
            token_endpoint,
            pushed_authorization_request_endpoint: pushed,
            revocation_endpoint,
            protected_resources: protected_resources
                .map(|list| list.into_iter().map(str::to_owned).collect()),
            // A malformed list is ignored: it only serves to reject an unsupported `prompt` early.
            prompt_values_supported: document
                .prompt_values_supported
                .as_deref()
                .and_then(|value| serde_json::from_value(value.clone()).ok()),
        })
    }
}

/// Checks the features that the atproto OAuth profile requires of an authorization server.
fn check_features(document: &Members, check: &mut Check) {
    let d = document;
    check.contains("response_types_supported", d.response_types_supported.as_deref(), &["code"]);
    let grants = ["authorization_code", "refresh_token"];
    check.contains("grant_types_supported", d.grant_types_supported.as_deref(), &grants);
    let methods = d.code_challenge_methods_supported.as_deref();
    check.contains("code_challenge_methods_supported", methods, &["S256"]);
    let methods = d.token_endpoint_auth_methods_supported.as_deref();
    let wanted = ["none", "private_key_jwt"];
    check.contains("token_endpoint_auth_methods_supported", methods, &wanted);
    let member = "token_endpoint_auth_signing_alg_values_supported";
    let algs = d.token_endpoint_auth_signing_alg_values_supported.as_deref();
    check.contains(member, algs, &["ES256"]);
    if algs.and_then(Value::as_array).is_some_and(|algs| algs.iter().any(|alg| alg == "none")) {
        check.broken(member, Problem::Has("none"));
    }
    let algs = d.dpop_signing_alg_values_supported.as_deref();
    check.contains("dpop_signing_alg_values_supported", algs, &["ES256"]);
    check.contains("scopes_supported", d.scopes_supported.as_deref(), &["atproto"]);
    let promise = d.authorization_response_iss_parameter_supported.as_deref();
    check.is_true("authorization_response_iss_parameter_supported", promise);
    let promise = d.require_pushed_authorization_requests.as_deref();
    check.is_true("require_pushed_authorization_requests", promise);
    let promise = d.client_id_metadata_document_supported.as_deref();
    check.is_true("client_id_metadata_document_supported", promise);
    let promise = d.require_request_uri_registration.as_deref();
    if promise.is_some() {
        check.is_true("require_request_uri_registration", promise);
    }
}

impl Endpoint for ServerMetadataEndpoint {
    type Output = ServerMetadata;
    type Error = Error;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, Error> {
        Ok(get(&self.url())?)
    }

    fn how(&self) -> How {
        how(self.development)
    }

    fn response(&self, response: Response<Bytes>) -> Result<ServerMetadata, Error> {
        Ok(self.check(&document(&self.url(), &response)?)?)
    }
}

impl Document for ServerMetadataEndpoint {
    fn document_url(&self) -> String {
        Self::url(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::discovery::metadata::Violation;

    fn good() -> Value {
        json!({
            "issuer": "https://bsky.social",
            "authorization_endpoint": "https://bsky.social/oauth/authorize?keep=me",
            "token_endpoint": "https://bsky.social/oauth/token",
            "pushed_authorization_request_endpoint": "https://par.bsky.social:8443/par",
            "revocation_endpoint": "https://bsky.social/oauth/revoke",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
            "scopes_supported": ["atproto", "transition:generic"],
            "authorization_response_iss_parameter_supported": true,
            "require_pushed_authorization_requests": true,
            "dpop_signing_alg_values_supported": ["ES256"],
            "client_id_metadata_document_supported": true,
            "something_else": {"deeply": ["ignored"]},
        })
    }

    fn read(document: &Value) -> Result<ServerMetadata, Error> {
        read_text(&document.to_string())
    }

    fn read_text(document: &str) -> Result<ServerMetadata, Error> {
        let issuer = Origin::parse("https://bsky.social", false).unwrap();
        let response = Response::builder()
            .header("content-type", "application/json")
            .body(Bytes::copy_from_slice(document.as_bytes()))
            .unwrap();
        ServerMetadataEndpoint { issuer, development: false }.response(response)
    }

    fn violations(document: &Value) -> Vec<Violation> {
        match read(document) {
            Err(Error::Discovery(DiscoveryError::Violations { violations, .. })) => violations,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn a_good_document_is_read_and_survives_being_stored() {
        let server = read(&good()).unwrap();
        assert_eq!(server.issuer.as_str(), "https://bsky.social");
        let stored = serde_json::to_string(&server).unwrap();
        assert_eq!(serde_json::from_str::<ServerMetadata>(&stored).unwrap(), server);
    }

    #[test]
    fn every_rule_of_the_profile_is_checked() {
        // Rules B-21, B-22, B-30 to B-44
        let wrong = [
            ("issuer", json!("https://bsky.social/")),
            ("issuer", json!("https://BSKY.social")),
            ("issuer", json!("https://evil.example.com")),
            ("issuer", json!(7)),
            ("authorization_endpoint", json!("http://bsky.social/oauth/authorize")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("authorization_endpoint", json!("data:text/html,x")),
            ("authorization_endpoint", json!("https://bsky.social/#x")),
            ("authorization_endpoint", json!("https://u@bsky.social/")),
            ("authorization_endpoint", json!("/oauth/authorize")),
            ("token_endpoint", json!("https://127.0.0.1/token")),
            ("token_endpoint", json!(["https://bsky.social/oauth/token"])),
            ("pushed_authorization_request_endpoint", json!("")),
            ("revocation_endpoint", json!("http://bsky.social/oauth/revoke")),
            ("response_types_supported", json!(["token"])),
            ("response_types_supported", json!("code")),
            ("grant_types_supported", json!(["authorization_code"])),
            ("grant_types_supported", json!(["refresh_token"])),
            ("code_challenge_methods_supported", json!(["plain"])),
            ("token_endpoint_auth_methods_supported", json!(["private_key_jwt"])),
            ("token_endpoint_auth_methods_supported", json!(["none"])),
            ("token_endpoint_auth_signing_alg_values_supported", json!(["RS256"])),
            ("token_endpoint_auth_signing_alg_values_supported", json!(["ES256", "none"])),
            ("scopes_supported", json!(["openid"])),
            ("authorization_response_iss_parameter_supported", json!(false)),
            ("authorization_response_iss_parameter_supported", json!("true")),
            ("require_pushed_authorization_requests", json!(false)),
            ("require_pushed_authorization_requests", json!(1)),
            ("dpop_signing_alg_values_supported", json!(["ES384"])),
            ("client_id_metadata_document_supported", json!(false)),
            ("require_request_uri_registration", json!(false)),
            ("protected_resources", json!("https://pds.example.com")),
        ];
        for (member, value) in wrong {
            let mut document = good();
            document[member] = value.clone();
            let found = violations(&document);
            assert_eq!(found.len(), 1, "{member}: {value}: {found:?}");
            assert_eq!(found[0].member, member);
        }
    }

    #[test]
    fn every_required_member_is_missed() {
        let required: Vec<String> = good()
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| !["revocation_endpoint", "something_else"].contains(&name.as_str()))
            .cloned()
            .collect();
        assert_eq!(required.len(), 14);
        for member in &required {
            let mut document = good();
            document.as_object_mut().unwrap().remove(member);
            let found = violations(&document);
            assert_eq!(found.len(), 1, "{member}");
            assert_eq!((found[0].member, &found[0].problem), (member.as_str(), &Problem::Missing));
        }
        // All at once: Rule N-11
        assert_eq!(violations(&json!({})).len(), required.len());
    }

    #[test]
    fn optional_members_may_be_there() {
        let mut document = good();
        document["require_request_uri_registration"] = json!(true);
        document["prompt_values_supported"] = json!("malformed");
        document["protected_resources"] = json!(["https://pds.example.com"]);
        let server = read(&document).unwrap();
        assert_eq!(server.prompt_values_supported, None);
        // Rule B-46
        assert!(server.protects(&Origin::parse("https://pds.example.com", false).unwrap()));
        assert!(!server.protects(&Origin::parse("https://other.example.com", false).unwrap()));
    }

    #[test]
    fn an_optional_member_of_another_type_counts_as_absent() {
        // Rules B-45, P-14
        for value in [json!(7), json!(null), json!({"url": "x"}), json!(["https://a.example/"])] {
            let mut document = good();
            document["revocation_endpoint"] = value.clone();
            document["prompt_values_supported"] = value.clone();
            document["ui_locales_supported"] = value;
            let server = read(&document).unwrap();
            assert_eq!(server.revocation_endpoint, None);
        }
        let text = |revocation: &str, resources: &str| {
            let text = good().to_string();
            let text = text.replace("\"https://bsky.social/oauth/revoke\"", revocation);
            text.replacen('{', &format!("{{\"protected_resources\":{resources},"), 1)
        };
        for value in ["1e999", "[1e999]", r#"{"a":"\udc00"}"#] {
            let server = read_text(&text(value, "null")).unwrap();
            assert_eq!(server.revocation_endpoint, None, "{value}");
            assert!(read_text(&text("null", value)).is_err(), "{value}");
        }
    }
}
