//! The settings of a client: `client_id`, redirect URIs, scopes; and the metadata of any client.

use atproto_oauth_core::{
    Client, ClientBuilder, Finding, FindingCode, Scopes, Severity, lint_jwks,
    lint_loopback_client_id, lint_metadata,
};
use atproto_sansio::is_printable;
use serde_json::Value;
use url::{Host, Url};

use crate::parsers::{assert_strict, text};

fn atproto() -> Scopes {
    Scopes::parse("atproto").expect("a constant is valid")
}

/// An accepted `client_id` is kept byte for byte, in the client and in its document.
pub(crate) fn client_id(data: &[u8]) -> bool {
    let text = text(data);
    if let Ok(client) = ClientBuilder::from_loopback_client_id(&text).and_then(ClientBuilder::build)
    {
        assert_eq!(client.client_id(), text);
        assert!(client.metadata().is_none());
        assert!(!has_error(&lint_loopback_client_id(&text)), "{text}");
        return true;
    }
    let redirect: url::Url = "https://app.example.com/cb".parse().expect("a constant URL is valid");
    let built = Client::web(text.clone(), atproto()).redirect_uri(redirect).build();
    let Ok(client) = built else { return false };
    let url = Url::parse(&text).expect("a client_id is a URL");
    assert_eq!((url.as_str(), client.client_id()), (&*text, &*text));
    assert!(url.scheme() == "https" && matches!(url.host(), Some(Host::Domain(_))));
    assert!(url.port().is_none() && url.fragment().is_none() && url.username().is_empty());
    assert_eq!(document(&client)["client_id"], *text);
    true
}

/// An accepted redirect URI is https, a loopback address, or has the scheme of its native client. It is
/// kept byte for byte.
pub(crate) fn redirect_uri(data: &[u8]) -> bool {
    let text = text(data);
    let id = "https://app.example.com/c.json";
    let web = Client::web(id, atproto()).redirect_uri(text.clone()).build();
    let native = Client::native(id, atproto()).redirect_uri(text.clone()).build();
    let (is_web, is_native) = (web.is_ok(), native.is_ok());
    for client in [web, native].iter().flatten() {
        let uri = Url::parse(&text).expect("an accepted redirect URI is a URL");
        assert!(uri.fragment().is_none() && uri.username().is_empty() && uri.password().is_none());
        assert_eq!(document(client)["redirect_uris"], serde_json::json!([text]));
        let is_domain = matches!(uri.host(), Some(Host::Domain(_)));
        assert!(!is_web || (uri.scheme() == "https" && is_domain), "{uri}");
        let is_loopback = matches!(uri.host_str(), Some("127.0.0.1" | "[::1]"));
        match uri.scheme() {
            "https" if is_native => assert_eq!(uri.host_str(), Some("app.example.com")),
            "https" => {}
            "http" => assert!(is_loopback, "{uri}"),
            scheme => assert_eq!(scheme, "com.example.app"),
        }
    }
    is_web || is_native
}

/// Accepted scopes are kept byte for byte, and are a subset of themselves.
pub(crate) fn scopes(data: &[u8]) -> bool {
    let text = text(data);
    let Ok(scopes) = Scopes::parse(&text) else { return false };
    assert_eq!(scopes.to_string(), text);
    assert!(scopes.contains("atproto") && scopes.missing_from(&scopes).is_none());
    assert!(scopes.iter().all(|scope| !scope.is_empty() && scope.is_ascii()));
    // A loopback client carries its scopes in its `client_id`, and reads them there again.
    let client = Client::loopback(scopes.clone()).build().expect("scopes are all that it needs");
    let again = ClientBuilder::from_loopback_client_id(client.client_id());
    let again = again.and_then(ClientBuilder::build).expect("its own client_id is valid");
    assert_eq!(again.scopes(), &scopes);
    true
}

/// The bytes are the metadata document of a client, and its JWK Set. If the document has no error, a
/// client with its redirect URIs and scopes can be built. The report is bounded and printable.
pub(crate) fn client_metadata(data: &[u8]) -> bool {
    let id = "https://app.example.com/c.json";
    let findings = lint_metadata(id, data);
    for findings in [&findings, &lint_jwks(data), &lint_loopback_client_id(&text(data))] {
        assert!(findings.len() <= 500);
        for finding in findings {
            let line = finding.to_string();
            assert!(line.len() < 4000 && line.chars().all(is_printable), "{line:?}");
            assert_eq!(finding.severity, finding.code.severity());
        }
    }
    if has_error(&findings) {
        return false;
    }
    assert_strict(data);
    let json = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let document: Value = serde_json::from_slice(json).expect("the document is JSON");
    assert_eq!(document["client_id"], id);
    assert_eq!(document["dpop_bound_access_tokens"], true);
    let scopes = document["scope"].as_str().expect("the scopes are a text");
    let scopes = Scopes::parse(scopes).expect("the scopes are valid");
    let builder = match document["application_type"] == "native" {
        true => Client::native(id, scopes),
        false => Client::web(id, scopes),
    };
    let uris = document["redirect_uris"].as_array().expect("there are redirect URIs");
    let uris = uris.iter().map(|uri| uri.as_str().expect("a redirect URI is a text"));
    let built = uris.fold(builder, ClientBuilder::redirect_uri).build();
    // The builder takes one spelling, and a server several.
    let is_odd = |finding: &Finding| finding.code == FindingCode::RedirectUriNotCanonical;
    assert!(built.is_ok() || findings.iter().any(is_odd), "{built:?}");
    true
}

fn has_error(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

fn document(client: &Client) -> Value {
    let document = client.metadata().expect("a published client has a document");
    let findings = lint_metadata(client.client_id(), document.as_bytes());
    assert!(!has_error(&findings), "{findings:?}");
    serde_json::from_str(&document).expect("the document is JSON")
}
