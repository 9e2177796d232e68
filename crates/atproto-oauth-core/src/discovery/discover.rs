//! Finds the authorization server of a PDS.
//!
//! ```text
//! Resource ── issuer is the PDS ───▶ Same ──▶ Discovered
//!    └─────── another issuer ──────▶ Other ─▶ Discovered
//! ```
//!
//! Many PDSs are their own authorization server, so the machine requests both metadata documents
//! of the PDS at once. If the PDS names another issuer, the second request is cancelled.
//!
//! `Ok` means: the PDS names this issuer, the issuer's metadata follows the profile, and its
//! `protected_resources`, if present, contain the PDS.
//!
//! atproto OAuth, «Server Metadata»; RFC 9728 section 4.

use std::task::{Poll, ready};

use atproto_identity::Freshness;
use atproto_sansio::{Cx, Held, Machine, printable};
use http::StatusCode;
use url::Url;

use crate::discovery::fetch::FetchDocument;
use crate::discovery::metadata::DiscoveryError;
use crate::discovery::resource::ResourceMetadataEndpoint;
use crate::discovery::server::{ServerMetadata, ServerMetadataEndpoint};
use crate::error::{Error, InputError};
use crate::origin::Origin;

/// Machine of [`Client::discover`](crate::Client::discover): fetches the metadata of a server and
/// of its authorization server, and ends in [`Discovered`].
#[derive(Debug)]
pub struct Discover {
    resource: Origin,
    fallback: bool,
    development: bool,
    state: State,
}

/// The authorization server of a server, found by [`Discover`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Discovered {
    /// Checked metadata of the authorization server.
    pub server: ServerMetadata,
    /// True if protected resource metadata of the server names the authorization server. False if
    /// the server has no such metadata, so that it is taken for its own authorization server.
    pub is_named: bool,
}

#[derive(Debug)]
enum State {
    Resource {
        resource: FetchDocument<ResourceMetadataEndpoint>,
        same: Held<FetchDocument<ServerMetadataEndpoint>>,
    },
    Same {
        server: Held<FetchDocument<ServerMetadataEndpoint>>,
        is_named: bool,
    },
    Other(FetchDocument<ServerMetadataEndpoint>),
    Ended,
}

impl Discover {
    pub(crate) fn new(resource: Origin, fallback: bool, development: bool) -> Self {
        let state = State::Resource {
            resource: fetch_resource(resource.clone(), development, Freshness::Cached),
            same: Held::new(fetch_server(resource.clone(), development, Freshness::Cached)),
        };
        Self { resource, fallback, development, state }
    }

    fn finish(&self, server: ServerMetadata, is_named: bool) -> Result<Discovered, Error> {
        // A server without resource metadata is its own issuer, and need not list itself.
        if is_named {
            check_protected(&server, &self.resource)?;
        }
        Ok(Discovered { server, is_named })
    }
}

impl Machine for Discover {
    type Output = Discovered;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Discovered, Error>> {
        let result = ready!(self.advance(cx));
        self.state = State::Ended;
        Poll::Ready(result)
    }
}

impl Discover {
    fn advance(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Discovered, Error>> {
        loop {
            match &mut self.state {
                State::Resource { resource, same } => {
                    let named = resource.poll(cx);
                    same.advance(cx);
                    let issuer = match ready!(named) {
                        Ok(named) => Some(named.issuer),
                        Err(error) if is_not_found(&error) && self.fallback => None,
                        Err(error) => return Poll::Ready(Err(no_oauth(error, &self.resource))),
                    };
                    self.state = match issuer {
                        Some(issuer) if issuer != self.resource => {
                            State::Other(fetch_server(issuer, self.development, Freshness::Cached))
                        }
                        issuer => {
                            State::Same { is_named: issuer.is_some(), server: same.take_over() }
                        }
                    };
                }
                State::Same { server, is_named } => {
                    let is_named = *is_named;
                    if !server.advance(cx) {
                        return Poll::Pending;
                    }
                    let server = server.take().expect("`Discover` is not polled after its end")?;
                    return Poll::Ready(self.finish(server, is_named));
                }
                State::Other(fetch) => {
                    let server = ready!(fetch.poll(cx))?;
                    return Poll::Ready(self.finish(server, true));
                }
                State::Ended => unreachable!("`Discover` is not polled after its end"),
            }
        }
    }
}

/// Returns the origin of a PDS from its URL in a DID document.
pub(crate) fn origin_of_pds(pds: &Url, development: bool) -> Result<Origin, InputError> {
    let input = || printable(pds.as_str());
    Origin::of_url(pds, development).map_err(|why| InputError::Server { input: input(), why })
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

/// Turns a 404 for the protected resource metadata into [`DiscoveryError::NoOAuth`].
pub(crate) fn no_oauth(error: Error, resource: &Origin) -> Error {
    if is_not_found(&error) { DiscoveryError::NoOAuth(resource.clone()).into() } else { error }
}

pub(crate) fn is_not_found(error: &Error) -> bool {
    matches!(
        error,
        Error::Discovery(DiscoveryError::Status { status, .. }) if *status == StatusCode::NOT_FOUND
    )
}
