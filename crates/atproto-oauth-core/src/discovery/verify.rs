//! Checks that an issuer is the authorization server of an account, without any cache.
//!
//! ```text
//! DID document ── PDS ──▶ resource metadata ── issuer ──▶ equals the pinned issuer?
//! metadata of the pinned issuer ────────────────────────▶ protects the PDS?
//! ```
//!
//! The pinned issuer is the issuer of the login or session. Its metadata is requested at once, as
//! is the resource metadata of a PDS that is already known. If the DID document then names another
//! PDS, the metadata of the known PDS is ignored.
//!
//! `Ok` means: the account's DID document names this PDS, this PDS names the pinned issuer, and
//! the issuer's metadata follows the profile and does not exclude the PDS. If a login began at a
//! server, this check alone keeps that server from claiming accounts of other servers.
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

/// Time limit of the check. `ExchangeCode` starts it when the tokens have arrived, `Refresh` at
/// once.
pub(crate) const TIME: Duration = Duration::from_secs(10);

/// Machine that checks whether `issuer` is the authorization server of `did`.
#[derive(Debug)]
pub(crate) struct Verify {
    did: Did,
    issuer: Origin,
    development: bool,
    document: Held<ResolveDid>,
    /// The PDS whose metadata is fetched: at first the known PDS, which may be out of date.
    resource: Option<(Origin, Held<FetchDocument<ResourceMetadataEndpoint>>)>,
    server: Held<FetchDocument<ServerMetadataEndpoint>>,
    /// The PDS that the DID document names; `None` until the DID document has arrived.
    pds: Option<Origin>,
    /// Whether the PDS is known to name `issuer`.
    named: bool,
    /// Whether a PDS without resource metadata counts as its own issuer.
    fallback: bool,
    ended: bool,
}

/// The account's current PDS, and the metadata of its authorization server.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) pds: Origin,
    pub(crate) server: ServerMetadata,
}

impl Verify {
    /// Begins the check; `pds` is the PDS of the account as known so far, if any.
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

    /// Reads the PDS from the DID document when the document has arrived. If the metadata of
    /// another PDS is being fetched, replaces that fetch.
    fn find_pds(&mut self) -> Result<(), Error> {
        if let Some(document) = self.document.take() {
            let document = document?;
            let pds = origin_of_pds(&document.pds(self.development)?, self.development)?;
            if self.resource.as_ref().is_none_or(|(known, _)| *known != pds) {
                let fetch = fetch_resource(pds.clone(), self.development, Freshness::Fresh);
                self.resource = Some((pds.clone(), Held::new(fetch)));
            }
            self.pds = Some(pds);
        }
        Ok(())
    }

    /// Rejects a PDS that names another issuer than the pinned one.
    fn check_issuer(
        &self,
        named: Result<ResourceMetadata, Error>,
        pds: &Origin,
    ) -> Result<(), Error> {
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
        let resource_is_done = resource.is_some_and(|(_, resource)| resource.advance(cx));
        let server_is_done = self.server.advance(cx);
        // Errors of the metadata of a PDS count only if the DID document names this PDS.
        let Some(pds) = self.pds.clone() else { return Poll::Pending };
        if !resource_is_done {
            return Poll::Pending;
        }
        if !self.named
            && let Some((_, resource)) = &mut self.resource
            && let Some(named) = resource.take()
        {
            self.check_issuer(named, &pds)?;
            self.named = true;
        }
        // An error of the issuer's metadata counts only if the PDS names this issuer, so that the
        // result does not depend on the order of the responses.
        if !server_is_done {
            return Poll::Pending;
        }
        let server = self.server.take().expect("`Verify` is not polled after its end")?;
        check_protected(&server, &pds)?;
        Poll::Ready(Ok(Verified { pds, server }))
    }
}

impl Machine for Verify {
    type Output = Verified;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Verified, Error>> {
        assert!(!self.ended, "`Verify` is not polled after its end");
        let result = ready!(self.advance(cx));
        self.ended = true;
        Poll::Ready(result)
    }
}
