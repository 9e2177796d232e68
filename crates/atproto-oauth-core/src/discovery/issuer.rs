//! Asks a PDS which issuer it names, while the metadata of an issuer is fetched beside it.
//!
//! The answer of the PDS outranks everything that the issuer does: only if the PDS names this
//! issuer do the issuer's metadata, or an error of them, count. So the result does not depend on
//! the order in which the two answer.

use std::task::{Poll, ready};

use atproto_identity::Freshness;
use atproto_sansio::{Cx, Held, Machine};
use http::StatusCode;

use crate::discovery::fetch::FetchDocument;
use crate::discovery::metadata::DiscoveryError;
use crate::discovery::resource::ResourceMetadataEndpoint;
use crate::discovery::server::{ServerMetadata, ServerMetadataEndpoint};
use crate::error::Error;
use crate::origin::Origin;

/// The fetch of a PDS's metadata, which names its issuer, beside the fetch of an issuer's metadata.
#[derive(Debug)]
pub(crate) struct AskIssuer {
    pub(crate) pds: Origin,
    pub(crate) resource: Held<FetchDocument<ResourceMetadataEndpoint>>,
    pub(crate) server: Held<FetchDocument<ServerMetadataEndpoint>>,
    /// Whether a PDS without resource metadata counts as its own issuer.
    pub(crate) fallback: bool,
}

/// The issuer of a PDS.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) issuer: Origin,
    /// False if the PDS has no resource metadata, so that it counts as its own issuer.
    pub(crate) is_named: bool,
}

impl AskIssuer {
    /// Returns which issuer the PDS names, as soon as the PDS has answered. The other fetch then
    /// goes on in `server`.
    pub(crate) fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Named, Error>> {
        let named = self.resource.poll(cx);
        self.server.advance(cx);
        Poll::Ready(match ready!(named) {
            Ok(named) => Ok(Named { issuer: named.issuer, is_named: true }),
            Err(error) if is_not_found(&error) => match self.fallback {
                true => Ok(Named { issuer: self.pds.clone(), is_named: false }),
                false => Err(DiscoveryError::NoOAuth(self.pds.clone()).into()),
            },
            Err(error) => Err(error),
        })
    }
}

/// Fetches the metadata of an authorization server.
pub(crate) fn fetch_server(
    issuer: Origin,
    development: bool,
    freshness: Freshness,
) -> FetchDocument<ServerMetadataEndpoint> {
    FetchDocument::new(ServerMetadataEndpoint { issuer, development }, freshness)
}

/// Fetches the protected resource metadata of a PDS.
pub(crate) fn fetch_resource(
    resource: Origin,
    development: bool,
    freshness: Freshness,
) -> FetchDocument<ResourceMetadataEndpoint> {
    FetchDocument::new(ResourceMetadataEndpoint { resource, development }, freshness)
}

/// Rejects an authorization server whose `protected_resources` lack `resource`
/// (RFC 9728 section 4).
pub(crate) fn check_protected(server: &ServerMetadata, resource: &Origin) -> Result<(), Error> {
    if server.protects(resource) {
        return Ok(());
    }
    let (issuer, resource) = (server.issuer.clone(), resource.clone());
    Err(DiscoveryError::NotProtected { issuer, resource }.into())
}

fn is_not_found(error: &Error) -> bool {
    matches!(
        error,
        Error::Discovery(DiscoveryError::Status { status, .. }) if *status == StatusCode::NOT_FOUND
    )
}
