//! The DID document, and the two metadata documents.

use atproto_identity::{Did, DidDocument};
use atproto_oauth_core::{
    Origin, ResourceMetadataEndpoint, ServerMetadata, ServerMetadataEndpoint,
};
use atproto_sansio::{Endpoint, Reach};
use bytes::Bytes;
use url::{Host, Url};

use crate::canned;
use crate::parsers::assert_strict;

/// A document belongs to its DID, and names a public server or none.
pub(crate) fn did_document(data: &[u8]) -> bool {
    let did: Did = "did:plc:z72i7hdynmk6r22z27h6tvur".parse().expect("a constant DID is valid");
    let json = Bytes::copy_from_slice(data);
    let Ok(document) = DidDocument::parse(&did, json.clone()) else { return false };
    assert_strict(data);
    assert_eq!((document.did(), document.json()), (&did, &json));
    if let Some(handle) = document.handle() {
        assert_eq!(handle.as_str().parse().as_ref(), Ok(handle));
    }
    let Ok(pds) = document.pds(false) else { return false };
    is_public(&pds);
    assert!(pds.path() == "/" && pds.query().is_none() && pds.fragment().is_none());
    assert!(Origin::of_url(&pds, false).is_ok());
    assert_eq!(document.pds(true).as_ref(), Ok(&pds));
    document.handle().is_some()
}

/// The bytes are the body of the metadata of `https://pds.example.com`.
pub(crate) fn resource_metadata(data: &[u8]) -> bool {
    let resource = Origin::parse("https://pds.example.com", false).expect("a constant is valid");
    let endpoint = ResourceMetadataEndpoint { resource: resource.clone(), development: false };
    let response = canned::json(Bytes::copy_from_slice(data));
    let Ok(metadata) = endpoint.response(response) else { return false };
    assert_strict(data);
    assert_eq!(metadata.resource, resource);
    let issuer = metadata.issuer.as_str();
    assert_eq!(Origin::parse_canonical(issuer, false).as_ref(), Ok(&metadata.issuer));
    true
}

/// The bytes are the body of the metadata of `https://pds.example.com`.
pub(crate) fn server_metadata(data: &[u8]) -> bool {
    let issuer = Origin::parse("https://pds.example.com", false).expect("a constant is valid");
    let endpoint = ServerMetadataEndpoint { issuer: issuer.clone(), development: false };
    let response = canned::json(Bytes::copy_from_slice(data));
    let Ok(metadata) = endpoint.response(response) else { return false };
    assert_strict(data);
    assert_eq!(metadata.issuer, issuer);
    let endpoints = [
        &metadata.authorization_endpoint,
        &metadata.token_endpoint,
        &metadata.pushed_authorization_request_endpoint,
    ];
    endpoints.into_iter().chain(&metadata.revocation_endpoint).for_each(is_public);
    let stored = serde_json::to_string(&metadata).expect("metadata can be stored");
    let again: ServerMetadata = serde_json::from_str(&stored).expect("stored metadata is read");
    assert_eq!(again, metadata);
    true
}

/// Asserts that a URL from a document is https, has a DNS name, and carries no user.
fn is_public(url: &Url) {
    assert_eq!(url.scheme(), "https");
    assert!(matches!(url.host(), Some(Host::Domain(_))), "{url}");
    assert!(url.username().is_empty() && url.password().is_none());
    let uri = url.as_str().parse().expect("an accepted URL can be requested");
    assert_eq!(Reach::Public.check(&uri), Ok(()));
}
