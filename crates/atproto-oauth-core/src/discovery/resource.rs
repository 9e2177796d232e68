//! `GET <pds>/.well-known/oauth-protected-resource`
//!
//! Fetches the protected resource metadata of a PDS, which names its authorization server.
//!
//! The `resource` of the document must be exactly the origin that the document was fetched from,
//! and `authorization_servers` must have exactly one issuer, in canonical form. The issuer is
//! untrusted until its own metadata was checked.
//!
//! RFC 9728 section 3; atproto OAuth, «Server Metadata».

use atproto_sansio::{Body, Endpoint, Fresh, How};
use bytes::Bytes;
use http::{Request, Response};
use serde::Deserialize;

use crate::discovery::fetch::Document;
use crate::discovery::metadata::{Check, DiscoveryError, Problem, document, get, how};
use crate::error::Error;
use crate::json::Member;
use crate::origin::Origin;

/// Checked protected resource metadata of a PDS (RFC 9728).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ResourceMetadata {
    /// Origin of the PDS.
    pub resource: Origin,
    /// Origin of the authorization server that the PDS names.
    pub issuer: Origin,
}

/// The endpoint that serves the protected resource metadata of one PDS.
#[derive(Clone, Debug)]
pub struct ResourceMetadataEndpoint {
    /// Origin of the PDS.
    pub resource: Origin,
    /// Whether development hosts are allowed: loopback and `.test`, also with plain http.
    pub development: bool,
}

/// Members that are checked. Unknown members are ignored; a duplicate of a member listed here is
/// an error.
#[derive(Deserialize)]
struct Members {
    resource: Option<Member>,
    authorization_servers: Option<Member>,
}

impl ResourceMetadataEndpoint {
    /// URL of the document, below the origin of the server.
    pub fn url(&self) -> String {
        format!("{}/.well-known/oauth-protected-resource", self.resource)
    }

    fn check(&self, document: &Members) -> Result<ResourceMetadata, DiscoveryError> {
        let mut check = Check { development: self.development, ..Check::default() };
        let resource = check.string("resource", document.resource.as_deref());
        if resource.is_some_and(|found| found != self.resource.as_str()) {
            let expected = self.resource.to_string();
            check.broken("resource", Problem::IsNot { expected });
        }
        let member = "authorization_servers";
        let servers = check.strings(member, document.authorization_servers.as_deref());
        let issuer = servers.and_then(|servers| {
            let [server] = servers.as_slice() else {
                check.broken(member, Problem::NotExactlyOne(servers.len()));
                return None;
            };
            Origin::parse_canonical(server, self.development)
                .map_err(|why| check.broken(member, Problem::NotAnOrigin(why)))
                .ok()
        });
        check.finish(&self.url())?;
        let issuer = issuer.expect("a document without violations names an issuer");
        Ok(ResourceMetadata { resource: self.resource.clone(), issuer })
    }
}

impl Endpoint for ResourceMetadataEndpoint {
    type Output = ResourceMetadata;
    type Error = Error;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, Error> {
        Ok(get(&self.url())?)
    }

    fn how(&self) -> How {
        how(self.development)
    }

    fn response(&self, response: Response<Bytes>) -> Result<ResourceMetadata, Error> {
        Ok(self.check(&document(&self.url(), &response)?)?)
    }
}

impl Document for ResourceMetadataEndpoint {
    fn document_url(&self) -> String {
        Self::url(self)
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn read(body: &str) -> Result<ResourceMetadata, Error> {
        let resource = Origin::parse("https://pds.example.com", false).unwrap();
        let response = Response::builder()
            .header("content-type", "Application/JSON; charset=utf-8")
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap();
        ResourceMetadataEndpoint { resource, development: false }.response(response)
    }

    #[test]
    fn the_document_names_itself_and_one_issuer() {
        let good = r#"{"resource":"https://pds.example.com",
            "authorization_servers":["https://bsky.social"],"scopes_supported":7}"#;
        assert_eq!(read(good).unwrap().issuer.as_str(), "https://bsky.social");
        // Rules B-05, B-06, B-07, N-08, N-10, N-12
        for (from, to) in [
            ("https://pds.example.com", "https://pds.example.com/"),
            ("https://pds.example.com", "https://other.example.com"),
            ("https://bsky.social", "https://bsky.social/"),
            ("https://bsky.social", "https://bsky.social/issuer"),
            ("https://bsky.social", "http://bsky.social"),
            ("https://bsky.social", "https://bsky.social:443"),
            ("https://bsky.social", "https://BSKY.social"),
            ("https://bsky.social", "https://127.0.0.1"),
            (r#"["https://bsky.social"]"#, "[]"),
            (r#"["https://bsky.social"]"#, r#"["https://bsky.social","https://b.example.com"]"#),
            (r#"["https://bsky.social"]"#, r#""https://bsky.social""#),
            (r#"["https://bsky.social"]"#, "[7]"),
            ("authorization_servers", "x"),
            ("\"resource\"", "\"x\""),
        ] {
            let error = read(&good.replacen(from, to, 1)).unwrap_err();
            let Error::Discovery(DiscoveryError::Violations { violations, .. }) = error else {
                unreachable!("{from} -> {to}: {error}")
            };
            assert_eq!(violations.len(), 1, "{from} -> {to}: {violations:?}");
        }
    }

    #[test]
    fn a_document_may_have_any_spelling_of_its_type_and_a_byte_order_mark() {
        // Rules B-03, P-14
        let resource = Origin::parse("https://pds.example.com", false).unwrap();
        let endpoint = ResourceMetadataEndpoint { resource, development: false };
        let good = r#"{"resource":"https://pds.example.com",
            "authorization_servers":["https://bsky.social"],
            "bearer_methods_supported":"header","jwks_uri":1e999,"resource_policy_uri":null,
            "scopes_supported":{"a":"\ud83d"},"x":1,"x":2}"#;
        for kind in [
            "application/json",
            "Application/JSON",
            "application/json;charset=UTF-8",
            " application/json ; charset=\"utf-8\"; profile=x",
        ] {
            for mark in ["", "\u{feff}", " \r\n\t"] {
                let response = Response::builder().header("content-type", kind);
                let response = response.body(Bytes::from(format!("{mark}{good}"))).unwrap();
                assert!(endpoint.response(response).is_ok(), "{kind} {mark:?}");
            }
        }
    }

    #[test]
    fn only_a_200_with_json_is_a_document() {
        // Rules B-02, B-03
        let resource = Origin::parse("https://pds.example.com", false).unwrap();
        let endpoint = ResourceMetadataEndpoint { resource, development: false };
        let good = r#"{"resource":"https://pds.example.com",
            "authorization_servers":["https://bsky.social"]}"#;
        for (status, kind) in [
            (201, Some("application/json")),
            (204, Some("application/json")),
            (301, Some("application/json")),
            (404, Some("application/json")),
            (200, Some("text/html")),
            (200, Some("application/jsonx")),
            (200, None),
        ] {
            let mut response = Response::new(Bytes::from_static(good.as_bytes()));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(kind) = kind {
                response.headers_mut().insert("content-type", kind.parse().unwrap());
            }
            assert!(endpoint.response(response).is_err(), "{status} {kind:?}");
        }
    }
}
