//! Checks which server is the authorization server of an account, without any cache.
//!
//! ```text
//! Document ── PDS ──▶ Issuer ── the PDS names the pinned issuer ──▶ Server ──▶ Handle ──▶ Verified
//!    └───── metadata of the pinned issuer, from the beginning ────────▲          ▲
//!    └───── the handle that the document claims, if it is not known yet ─────────┘
//! ```
//!
//! The pinned issuer is the issuer of the login or session. Its metadata is requested at once, as
//! is the resource metadata of a PDS that is already known. If the DID document then names another
//! PDS, the metadata of the known PDS is ignored.
//!
//! Credentials that are adopted pin the PDS instead. The DID document must then name this PDS, and
//! the issuer is the one that the PDS names. Many PDSs are their own issuer, so the issuer metadata
//! of the PDS is requested from the beginning.
//!
//! `Ok` means: the account's DID document names this PDS, this PDS names this issuer, one of the two
//! is the pinned one, and the issuer's metadata follows the profile and does not exclude the PDS. If
//! a login began at a server, this check alone keeps that server from claiming accounts of other
//! servers. A handle that is returned leads to the account, and the DID document claims it; a handle
//! that can't be verified is no error.
//!
//! atproto OAuth, «Identity Authentication»; atproto Handle, «Invalid Handles».

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_identity::{Did, DidDocument, Freshness, Handle, ResolveDid, ResolveHandle};
use atproto_sansio::{Cx, Held, Machine, Step, Steps};

use crate::client::config::Config;
use crate::discovery::discover::origin_of_pds;
use crate::discovery::fetch::FetchDocument;
use crate::discovery::issuer::{AskIssuer, check_protected, fetch_resource, fetch_server};
use crate::discovery::resource::ResourceMetadataEndpoint;
use crate::discovery::server::{ServerMetadata, ServerMetadataEndpoint};
use crate::error::{AuthorityError, Error};
use crate::origin::Origin;

/// Time limit of the check. `ExchangeCode` starts it when the tokens have arrived, `Refresh` and
/// `Adopt` at once.
pub(crate) const TIME: Duration = Duration::from_secs(10);

/// Machine that checks which server is the authorization server of `did`.
pub(crate) struct Verify {
    claim: Claim,
    steps: Steps<State>,
}

/// The account, and the server that it has to be at.
struct Claim {
    config: Arc<Config>,
    did: Did,
    pinned: Pinned,
    handle: Wanted,
}

/// The server that is known before the check, and that the account has to confirm.
#[derive(Debug)]
enum Pinned {
    /// The account's PDS must name this authorization server.
    Issuer(Origin),
    /// The account's DID document must name this PDS.
    Pds(Origin),
}

/// The handle that the check returns.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// None: the caller keeps the handle that it has.
    Nothing,
    /// The handle that the DID document claims. It is resolved, unless it is this one, which was
    /// verified when the login began.
    Handle(Option<Handle>),
}

#[derive(Debug)]
enum State {
    Document {
        document: ResolveDid,
        /// The PDS as known so far, which may be out of date, with the fetch of its metadata.
        known: Option<(Origin, Held<FetchDocument<ResourceMetadataEndpoint>>)>,
        server: Held<FetchDocument<ServerMetadataEndpoint>>,
    },
    Issuer(AskIssuer, Held<VerifyHandle>),
    Server {
        pds: Origin,
        server: Held<FetchDocument<ServerMetadataEndpoint>>,
        handle: Held<VerifyHandle>,
    },
    Handle {
        pds: Origin,
        server: Box<ServerMetadata>,
        handle: Held<VerifyHandle>,
    },
}

/// The account's current PDS, the metadata of its authorization server, and its handle.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) pds: Origin,
    pub(crate) server: ServerMetadata,
    /// The wanted handle, if it leads to the account.
    pub(crate) handle: Option<Handle>,
}

/// Resolves the handle that a DID document claims. A handle that does not lead to the account, or
/// can't be resolved, is `None`.
#[derive(Debug)]
struct VerifyHandle {
    did: Did,
    handle: Handle,
    resolve: ResolveHandle,
}

impl Verify {
    /// Begins the check; `pds` is the PDS of the account as known so far, if any.
    pub(crate) fn new(
        config: &Arc<Config>,
        did: Did,
        issuer: Origin,
        pds: Option<Origin>,
        handle: Wanted,
    ) -> Self {
        Self::begin(config, did, pds, issuer.clone(), Pinned::Issuer(issuer), handle)
    }

    /// Begins the check of an account that is at `pds`, whose issuer is not known.
    pub(crate) fn at_pds(config: &Arc<Config>, did: Did, pds: Origin) -> Self {
        let pinned = Pinned::Pds(pds.clone());
        Self::begin(config, did, Some(pds.clone()), pds, pinned, Wanted::Nothing)
    }

    /// Requests the DID document, the metadata of the PDS `known`, and the metadata of `issuer`,
    /// which is the pinned issuer or a guess.
    fn begin(
        config: &Arc<Config>,
        did: Did,
        known: Option<Origin>,
        issuer: Origin,
        pinned: Pinned,
        handle: Wanted,
    ) -> Self {
        let (development, fresh) = (config.development, Freshness::Fresh);
        let resource = |pds: Origin| Held::new(fetch_resource(pds, development, fresh));
        let state = State::Document {
            document: config.resolver.did(did.clone(), fresh),
            known: known.map(|pds| (pds.clone(), resource(pds))),
            server: Held::new(fetch_server(issuer, development, fresh)),
        };
        let claim = Claim { config: Arc::clone(config), did, pinned, handle };
        Self { claim, steps: Steps::begin(state) }
    }
}

impl Machine for Verify {
    type Output = Verified;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Verified, Error>> {
        let Self { claim, steps } = self;
        steps.run(|state| claim.step(state, cx))
    }
}

impl Claim {
    fn step(&self, state: State, cx: &mut Cx<'_>) -> Result<Step<State, Verified>, Error> {
        Ok(match state {
            State::Document { mut document, mut known, mut server } => {
                let found = document.poll(cx);
                if let Some((_, fetch)) = &mut known {
                    fetch.advance(cx);
                }
                server.advance(cx);
                match found {
                    Poll::Pending => Step::Wait(State::Document { document, known, server }),
                    Poll::Ready(document) => {
                        let document = document?;
                        let ask = self.ask_issuer(&document, known, server)?;
                        Step::Next(State::Issuer(ask, self.verify_handle(&document)))
                    }
                }
            }
            State::Issuer(mut ask, mut handle) => {
                let named = ask.poll(cx);
                handle.advance(cx);
                match named {
                    Poll::Pending => Step::Wait(State::Issuer(ask, handle)),
                    Poll::Ready(named) => {
                        let AskIssuer { pds, server, .. } = ask;
                        let server = self.server(named?.issuer, server)?;
                        Step::Next(State::Server { pds, server, handle })
                    }
                }
            }
            State::Server { pds, mut server, mut handle } => {
                handle.advance(cx);
                match server.poll(cx) {
                    Poll::Pending => Step::Wait(State::Server { pds, server, handle }),
                    Poll::Ready(server) => {
                        let server = Box::new(server?);
                        check_protected(&server, &pds)?;
                        Step::Next(State::Handle { pds, server, handle })
                    }
                }
            }
            State::Handle { pds, server, mut handle } => match handle.poll(cx) {
                Poll::Pending => Step::Wait(State::Handle { pds, server, handle }),
                Poll::Ready(handle) => {
                    Step::Done(Verified { pds, server: *server, handle: handle? })
                }
            },
        })
    }

    /// Asks the PDS that the document names for its issuer. If its metadata is not being fetched
    /// already, begins to fetch it.
    fn ask_issuer(
        &self,
        document: &DidDocument,
        known: Option<(Origin, Held<FetchDocument<ResourceMetadataEndpoint>>)>,
        server: Held<FetchDocument<ServerMetadataEndpoint>>,
    ) -> Result<AskIssuer, Error> {
        let development = self.config.development;
        let pds = origin_of_pds(&document.pds(development)?, development)?;
        self.check_pds(&pds)?;
        let begun = known.and_then(|(known, fetch)| (known == pds).then_some(fetch));
        let resource = begun.unwrap_or_else(|| {
            Held::new(fetch_resource(pds.clone(), development, Freshness::Fresh))
        });
        let fallback = self.config.resource_metadata_fallback;
        Ok(AskIssuer { pds, resource, server, fallback })
    }

    fn verify_handle(&self, document: &DidDocument) -> Held<VerifyHandle> {
        let known = match &self.handle {
            Wanted::Nothing => return Held::ended(Ok(None)),
            Wanted::Handle(known) => known.as_ref(),
        };
        match document.handle() {
            Some(claimed) if Some(claimed) != known => Held::new(VerifyHandle {
                did: self.did.clone(),
                handle: claimed.clone(),
                resolve: self.config.resolver.handle(claimed.clone(), Freshness::Fresh),
            }),
            claimed => Held::ended(Ok(claimed.cloned())),
        }
    }

    /// Rejects a DID document that names another PDS than the pinned one.
    fn check_pds(&self, found: &Origin) -> Result<(), AuthorityError> {
        match &self.pinned {
            Pinned::Pds(expected) if expected != found => {
                let (did, expected) = (self.did.clone(), expected.clone());
                Err(AuthorityError::PdsOfAccount { did, expected, found: found.clone() })
            }
            Pinned::Pds(_) | Pinned::Issuer(_) => Ok(()),
        }
    }

    /// Returns the fetch of the metadata of the issuer that the PDS names: the one that was `begun`,
    /// or a new one if `begun` was a guess. Rejects another issuer than the pinned one.
    fn server(
        &self,
        found: Origin,
        begun: Held<FetchDocument<ServerMetadataEndpoint>>,
    ) -> Result<Held<FetchDocument<ServerMetadataEndpoint>>, AuthorityError> {
        match &self.pinned {
            Pinned::Issuer(expected) if *expected != found => {
                let (did, expected) = (self.did.clone(), expected.clone());
                Err(AuthorityError::IssuerOfAccount { did, expected, found })
            }
            Pinned::Pds(pds) if *pds != found => {
                let development = self.config.development;
                Ok(Held::new(fetch_server(found, development, Freshness::Fresh)))
            }
            Pinned::Issuer(_) | Pinned::Pds(_) => Ok(begun),
        }
    }
}

impl Machine for VerifyHandle {
    type Output = Option<Handle>;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Option<Handle>, Error>> {
        self.resolve.poll(cx).map(|resolved| {
            let is_verified = resolved.is_ok_and(|did| did == self.did);
            Ok(is_verified.then(|| self.handle.clone()))
        })
    }
}

impl fmt::Debug for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify")
            .field("did", &self.claim.did)
            .field("pinned", &self.claim.pinned)
            .field("state", &self.steps)
            .finish_non_exhaustive()
    }
}
