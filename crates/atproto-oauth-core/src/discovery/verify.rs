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

use std::task::{Poll, ready};
use std::time::Duration;

use atproto_identity::{Did, Freshness, ResolveDid};
use atproto_sansio::{Cx, Held, Machine};

use crate::client::config::Config;
use crate::discovery::discover::{
    check_protected, fetch_resource, fetch_server, is_not_found, no_oauth, origin_of_pds,
};
use crate::discovery::fetch::FetchDocument;
use crate::discovery::resource::{ResourceMetadata, ResourceMetadataEndpoint};
use crate::discovery::server::{ServerMetadata, ServerMetadataEndpoint};
use crate::error::{AuthorityError, Error};
use crate::origin::Origin;

/// How long the check may take, once nothing else is waited for.
pub(crate) const TIME: Duration = Duration::from_secs(10);

/// Checks that an issuer may speak for an account.
#[derive(Debug)]
pub(crate) struct Verify {
    did: Did,
    issuer: Origin,
    development: bool,
    document: Held<ResolveDid>,
    /// The PDS that is asked, at first perhaps a guess.
    resource: Option<(Origin, Held<FetchDocument<ResourceMetadataEndpoint>>)>,
    server: Held<FetchDocument<ServerMetadataEndpoint>>,
    /// The PDS of the document.
    pds: Option<Origin>,
    /// That the PDS names the issuer.
    named: bool,
    /// A PDS without resource metadata may be its own issuer.
    fallback: bool,
    ended: bool,
}

/// What is true of the account now.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) pds: Origin,
    pub(crate) server: ServerMetadata,
}

impl Verify {
    /// Whether `issuer` may speak for `did`, whose PDS is perhaps still `pds`.
    pub(crate) fn new(config: &Config, did: Did, issuer: Origin, pds: Option<Origin>) -> Self {
        let development = config.development;
        Self {
            document: Held::new(config.resolver.did(did.clone(), Freshness::Fresh)),
            resource: pds.map(|pds| {
                (pds.clone(), Held::new(fetch_resource(pds, development, Freshness::Fresh)))
            }),
            server: Held::new(fetch_server(issuer.clone(), development, Freshness::Fresh)),
            fallback: config.resource_metadata_fallback,
            did,
            issuer,
            development,
            pds: None,
            named: false,
            ended: false,
        }
    }

    /// Takes the PDS of the document, once that is there; asks that PDS if it was not asked yet.
    fn find_pds(&mut self) -> Result<(), Error> {
        if let Some(document) = self.document.take() {
            let document = document?;
            let pds = origin_of_pds(&document.pds(self.development)?, self.development)?;
            if self.resource.as_ref().is_none_or(|(guess, _)| *guess != pds) {
                let fetch = fetch_resource(pds.clone(), self.development, Freshness::Fresh);
                self.resource = Some((pds.clone(), Held::new(fetch)));
            }
            self.pds = Some(pds);
        }
        Ok(())
    }

    /// What the PDS says of its issuer.
    fn judge(&self, named: Result<ResourceMetadata, Error>, pds: &Origin) -> Result<(), Error> {
        let issuer = match named {
            Ok(named) => named.issuer,
            Err(error) if self.fallback && is_not_found(&error) => pds.clone(),
            Err(error) => return Err(no_oauth(error, pds)),
        };
        if issuer == self.issuer {
            return Ok(());
        }
        let (did, expected) = (self.did.clone(), self.issuer.clone());
        Err(AuthorityError::IssuerOfAccount { did, expected, found: issuer }.into())
    }

    fn advance(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Verified, Error>> {
        self.document.advance(cx);
        self.find_pds()?;
        let resource = self.resource.as_mut();
        let asked = resource.is_some_and(|(_, resource)| resource.advance(cx));
        let answered = self.server.advance(cx);
        // A guess is not held against the account: only what its document names counts.
        let Some(pds) = self.pds.clone() else { return Poll::Pending };
        if !asked {
            return Poll::Pending;
        }
        if !self.named
            && let Some((_, resource)) = &mut self.resource
            && let Some(named) = resource.take()
        {
            self.judge(named, &pds)?;
            self.named = true;
        }
        // Whether the issuer answers matters only if the account is still under it: the verdict
        // must not depend on who answers first.
        if !answered {
            return Poll::Pending;
        }
        let server = self.server.take().expect("a check is not polled after its end")?;
        check_protected(&server, &pds)?;
        Poll::Ready(Ok(Verified { pds, server }))
    }
}

impl Machine for Verify {
    type Output = Verified;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Verified, Error>> {
        assert!(!self.ended, "a check is not polled after its end");
        let result = ready!(self.advance(cx));
        self.ended = true;
        Poll::Ready(result)
    }
}
