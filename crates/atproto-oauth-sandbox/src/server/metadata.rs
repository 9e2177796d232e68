//! Metadata documents of servers (RFC 8414, RFC 9728, AT Protocol "OAuth": server metadata).

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::server::ServerId;

/// `GET /.well-known/oauth-protected-resource`: names the authorization server of a PDS (RFC 9728).
pub(crate) fn resource(sandbox: &Sandbox, at: ServerId) -> Value {
    let server = sandbox.server(at);
    json!({
        "resource": server.origin,
        "authorization_servers": [sandbox.server(server.issuer).origin],
        "scopes_supported": [],
        "bearer_methods_supported": ["header"],
        "resource_documentation": "https://atproto.com",
    })
}

/// `GET /.well-known/oauth-authorization-server`: endpoints and abilities of an authorization
/// server (RFC 8414).
pub(crate) fn server(sandbox: &Sandbox, at: ServerId) -> Value {
    let issuer = &sandbox.server(at).origin;
    let resources: Vec<&str> = sandbox
        .servers
        .iter()
        .filter(|server| server.hosts_accounts && server.issuer == at)
        .map(|server| server.origin.as_str())
        .collect();
    json!({
        "issuer": issuer,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "scopes_supported": [
            "atproto", "transition:email", "transition:generic", "transition:chat.bsky",
        ],
        "subject_types_supported": ["public"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "ui_locales_supported": ["en-US"],
        "display_values_supported": ["page", "popup", "touch"],
        "prompt_values_supported": ["none", "login", "consent", "select_account", "create"],
        "authorization_response_iss_parameter_supported": true,
        "jwks_uri": format!("{issuer}/oauth/jwks"),
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "pushed_authorization_request_endpoint": format!("{issuer}/oauth/par"),
        "require_pushed_authorization_requests": true,
        "dpop_signing_alg_values_supported": ["ES256", "ES256K"],
        "protected_resources": resources,
        "client_id_metadata_document_supported": true,
    })
}
