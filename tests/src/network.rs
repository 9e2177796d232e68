//! A small network in which everything goes well, for tests that are no transcripts.

use bytes::Bytes;
use http::Response;

use crate::fixture;

/// The good answer to a request: PDS and authorization server are one host.
pub fn answer(method: &str, url: &str, form: &str) -> Response<Bytes> {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    let (host, path) = path.unwrap_or_default();
    let (status, fixture) = match (method, host, path) {
        ("GET", "plc.directory", _) => (200, "@did-document"),
        ("GET", "alice.example.com", ".well-known/atproto-did") => {
            (200, "did:plc:ewvi7nxzyoun6zhxrhs64oiz")
        }
        ("GET", _, ".well-known/oauth-protected-resource") => (200, "@resource-metadata"),
        ("GET", _, ".well-known/oauth-authorization-server") => (200, "@server-metadata"),
        ("POST", _, "oauth/par") => (201, "@pushed"),
        ("POST", _, "oauth/token") if form.contains("refresh_token=") => (200, "@refreshed"),
        ("POST", _, "oauth/token") => (200, "@tokens"),
        ("POST", _, "oauth/revoke") => (200, "{}"),
        (_, _, path) if path.starts_with("xrpc/") => (200, "{}"),
        _ => (404, ""),
    };
    let builder = Response::builder().status(status).header("content-type", "application/json");
    let builder = builder.header("dpop-nonce", "secret-nonce");
    builder.body(Bytes::from(fixture::body(fixture))).unwrap()
}
