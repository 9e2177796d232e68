//! Who may speak for an account: asked anew, of the account's own document and server.
//!
//! ```text
//! document ── PDS ──▶ resource metadata ── issuer ──▶ is it the pinned one?
//! pinned issuer's metadata ─────────────────────────▶ does it protect the PDS?
//! ```
//!
//! The pinned issuer's metadata is asked for at once, and where a PDS is known already its resource
//! metadata too: if the document then names another PDS, that answer is not used.
//!
//! When it ends in `Ok`: the account's document names this PDS, this PDS names the pinned issuer,
//! and the pinned issuer's own document keeps all rules and does not leave the PDS out. Nothing of
//! this came out of a cache. In a login that began at a server, this is the only thing that keeps
//! one server from claiming the accounts of another.
//!
//! atproto OAuth, «Identity Authentication».

use std::task::Poll;

use atproto_identity::{Did, DidDocument, Freshness, ResolveDid, Resolver};
use atproto_sansio::{Cx, Fetch, Held, Machine};

use crate::discover::{check_protected, fetch_server, no_oauth};
use crate::error::{AuthorityError, Error};
use crate::metadata::{ResourceMetadataEndpoint, ServerMetadata, ServerMetadataEndpoint};
use crate::origin::Origin;

/// Checks that an issuer may speak for an account.
#[derive(Debug)]
pub(crate) struct Verify {
    did: Did,
    issuer: Origin,
    development: bool,
    document: Held<ResolveDid>,
    /// The PDS that is asked, at first perhaps a guess.
    resource: Option<(Origin, Held<Fetch<ResourceMetadataEndpoint>>)>,
    server: Held<Fetch<ServerMetadataEndpoint>>,
    found: Option<(Origin, DidDocument)>,
}

/// What is true of the account now.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) pds: Origin,
    pub(crate) server: ServerMetadata,
}

impl Verify {
    /// Whether `issuer` may speak for `did`, whose PDS is perhaps still `pds`.
    pub(crate) fn new(
        resolver: &Resolver,
        did: Did,
        issuer: Origin,
        pds: Option<Origin>,
        development: bool,
    ) -> Self {
        Self {
            document: Held::new(resolver.did(did.clone(), Freshness::Fresh)),
            resource: pds.map(|pds| (pds.clone(), fetch_resource(pds, development))),
            server: Held::new(fetch_server(issuer.clone(), development)),
            did,
            issuer,
            development,
            found: None,
        }
    }

    /// The PDS of the document, once that is there; asks that PDS if it was not asked yet.
    fn pds(&mut self) -> Result<Option<Origin>, Error> {
        if let Some(document) = self.document.take() {
            let document = document?;
            let pds = Origin::of_pds(&document.pds(self.development)?, self.development)?;
            if self.resource.as_ref().is_none_or(|(guess, _)| *guess != pds) {
                self.resource = Some((pds.clone(), fetch_resource(pds.clone(), self.development)));
            }
            self.found = Some((pds, document));
        }
        Ok(self.found.as_ref().map(|(pds, _)| pds.clone()))
    }
}

fn fetch_resource(resource: Origin, development: bool) -> Held<Fetch<ResourceMetadataEndpoint>> {
    Held::new(Fetch::new(ResourceMetadataEndpoint { resource, development }))
}

impl Machine for Verify {
    type Output = Verified;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Verified, Error>> {
        self.document.advance(cx);
        let pds = self.pds()?;
        let asked = self.resource.as_mut().is_some_and(|(_, resource)| resource.advance(cx));
        let answered = self.server.advance(cx);
        // A guess is not held against the account: only what its document names counts.
        let Some(pds) = pds else { return Poll::Pending };
        if asked
            && let Some((_, resource)) = &mut self.resource
            && let Some(named) = resource.take()
        {
            let named = named.map_err(|error| no_oauth(error, &pds))?;
            if named.issuer != self.issuer {
                return Poll::Ready(Err(AuthorityError::IssuerOfAccount {
                    did: self.did.clone(),
                    expected: self.issuer.clone(),
                    found: named.issuer,
                }
                .into()));
            }
        }
        if let Some(error) = self.server.take_error() {
            return Poll::Ready(Err(error));
        }
        if !asked || !answered {
            return Poll::Pending;
        }
        let server = self.server.take().expect("a check is not polled after its end")?;
        check_protected(&server, &pds)?;
        Poll::Ready(Ok(Verified { pds, server }))
    }
}
