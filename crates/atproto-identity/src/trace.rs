//! [`TraceHandle`] and [`TraceDid`]: resolve a handle or a DID, and tell where the answer came from.
//!
//! The checks and the order of the requests are those of [`ResolveHandle`](crate::ResolveHandle) and
//! [`ResolveDid`](crate::ResolveDid). The cache is neither read nor changed.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use atproto_sansio::{Budget, Cx, Machine, Step, Steps};

use crate::config::Config;
use crate::did_resolution::document::DidDocument;
use crate::did_resolution::resolve_did::AskNetwork;
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::handle_resolution::method::ResolutionMethod;
use crate::handle_resolution::race::Race;
use crate::handle_resolution::resolve_handle::check_resolvable;
use crate::handle_resolution::{by_dns, well_known};
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;

/// The DID of a handle, and its source.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TracedHandle {
    /// The DID that the handle leads to.
    pub did: Did,
    /// The method that has named the DID.
    pub method: ResolutionMethod,
    /// DNS name of the TXT record, or URL on the host of the handle, from which redirects may have
    /// led to another host.
    pub at: String,
}

/// A DID document, and its source.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TracedDocument {
    /// The DID document.
    pub document: DidDocument,
    /// URL of the document at the PLC directory that has answered, or at the host of a `did:web`.
    /// The query of the directory is left out, because it may hold a key.
    pub url: String,
}

/// Machine of [`Resolver::trace_handle`](crate::Resolver::trace_handle): resolves a handle to a
/// [`TracedHandle`].
pub struct TraceHandle {
    config: Arc<Config>,
    handle: Handle,
    steps: Steps<HandleState>,
}

enum HandleState {
    Begin,
    Race(Box<Race>),
}

/// Machine of [`Resolver::trace_did`](crate::Resolver::trace_did): resolves a DID to a
/// [`TracedDocument`].
pub struct TraceDid {
    config: Arc<Config>,
    did: Did,
    steps: Steps<DidState>,
}

enum DidState {
    Begin,
    Asked(AskNetwork),
}

impl TraceHandle {
    pub(crate) fn new(config: Arc<Config>, handle: Handle) -> Self {
        Self { config, handle, steps: Steps::begin(HandleState::Begin) }
    }
}

impl TraceDid {
    pub(crate) fn new(config: Arc<Config>, did: Did) -> Self {
        Self { config, did, steps: Steps::begin(DidState::Begin) }
    }
}

impl Machine for TraceHandle {
    type Output = TracedHandle;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<TracedHandle, IdentityError>> {
        let Self { config, handle, steps } = self;
        steps.run(|state| match state {
            HandleState::Begin => {
                check_resolvable(config, handle)?;
                let race = Box::new(Race::new(config, handle, Freshness::Fresh));
                Ok(Step::Next(HandleState::Race(race)))
            }
            HandleState::Race(mut race) => match race.poll(cx) {
                Poll::Pending => Ok(Step::Wait(HandleState::Race(race))),
                Poll::Ready(winner) => {
                    let winner = winner?;
                    let at = match winner.method {
                        ResolutionMethod::Dns | ResolutionMethod::DnsOverHttps => {
                            by_dns::name(handle)
                        }
                        ResolutionMethod::Https => well_known::url(handle, config.development),
                    };
                    Ok(Step::Done(TracedHandle { did: winner.did, method: winner.method, at }))
                }
            },
        })
    }

    fn budget(&self) -> Budget {
        self.config.handle_budget()
    }
}

impl Machine for TraceDid {
    type Output = TracedDocument;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<TracedDocument, IdentityError>> {
        let Self { config, did, steps } = self;
        steps.run(|state| match state {
            DidState::Begin => {
                let asked = AskNetwork::new(config, did, Freshness::Fresh)?;
                Ok(Step::Next(DidState::Asked(asked)))
            }
            DidState::Asked(mut asked) => match asked.poll(cx) {
                Poll::Pending => Ok(Step::Wait(DidState::Asked(asked))),
                Poll::Ready(found) => {
                    let (document, url) = found?;
                    Ok(Step::Done(TracedDocument { document, url }))
                }
            },
        })
    }

    fn budget(&self) -> Budget {
        self.config.did_budget()
    }
}

impl fmt::Debug for TraceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceHandle").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl fmt::Debug for TraceDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceDid").field("did", &self.did).finish_non_exhaustive()
    }
}
