//! [`ResolveAccount`]: resolves a handle or DID to the account and its server (PDS), for a login.
//!
//! ```text
//!   handle ──▶ document ──▶ end
//!                 ▲
//!   DID ──────────┘
//! ```
//!
//! Guarantees of `Ok`: the DID document names a PDS at an allowed URL. If a handle was given, the
//! handle leads to the DID, and the document claims the handle. If a DID was given, its handle is
//! not checked, so that a login by DID needs one request only.
//!
//! atproto OAuth, «Identity Authentication»; atproto Handle, «Handle Resolution».

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use atproto_sansio::{Budget, Cx, Machine, Step, Steps};
use url::Url;

use crate::cache::forget;
use crate::config::Config;
use crate::did_resolution::document::DidDocument;
use crate::did_resolution::resolve_did::ResolveDid;
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::handle_resolution::resolve_handle::ResolveHandle;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::identifier::Identifier;

/// An account, its server (PDS) and its DID document.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Account {
    /// Permanent identifier of the account.
    pub did: Did,
    /// Origin of the account's server (PDS).
    pub pds: Url,
    /// The DID document, the source of `pds`.
    pub document: DidDocument,
}

/// Machine of [`Resolver::account`](crate::Resolver::account): resolves a handle or DID to an
/// [`Account`].
pub struct ResolveAccount {
    config: Arc<Config>,
    freshness: Freshness,
    steps: Steps<State>,
}

enum State {
    /// The DID of the given handle.
    Handle(Handle, ResolveHandle),
    /// The document, which must claim the given handle; `None` if a DID was given.
    Document(Option<Handle>, ResolveDid),
}

impl ResolveAccount {
    pub(crate) fn new(config: Arc<Config>, identifier: Identifier, freshness: Freshness) -> Self {
        let state = match identifier {
            Identifier::Handle(handle) => {
                let resolve = ResolveHandle::new(Arc::clone(&config), handle.clone(), freshness);
                State::Handle(handle, resolve)
            }
            Identifier::Did(did) => {
                State::Document(None, ResolveDid::new(Arc::clone(&config), did, freshness))
            }
        };
        Self { config, freshness, steps: Steps::begin(state) }
    }
}

impl Machine for ResolveAccount {
    type Output = Account;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Account, IdentityError>> {
        let Self { config, freshness, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Handle(handle, mut resolve) => match resolve.poll(cx) {
                    Poll::Pending => Step::Wait(State::Handle(handle, resolve)),
                    Poll::Ready(did) => {
                        let resolve = ResolveDid::new(Arc::clone(config), did?, *freshness);
                        Step::Next(State::Document(Some(handle), resolve))
                    }
                },
                State::Document(handle, mut resolve) => match resolve.poll(cx) {
                    Poll::Pending => Step::Wait(State::Document(handle, resolve)),
                    Poll::Ready(document) => Step::Done(accept(cx, config, handle, document?)?),
                },
            })
        })
    }

    fn budget(&self) -> Budget {
        self.config.identity_budget()
    }
}

/// Checks that the document claims the given handle and names a PDS.
fn accept(
    cx: &Cx<'_>,
    config: &Config,
    handle: Option<Handle>,
    document: DidDocument,
) -> Result<Account, IdentityError> {
    let did = document.did().clone();
    if let Some(input) = handle.filter(|handle| document.handle() != Some(handle)) {
        // The handle or the document may come from the cache, and be older than a change of the
        // account's handle. Both are removed from the cache, so that a retry resolves them again.
        forget(cx, config, &input.clone().into());
        let declared = document.handle().cloned();
        return Err(IdentityError::HandleMismatch { input, did, declared });
    }
    let pds = document.pds(config.development)?;
    Ok(Account { did, pds, document })
}

impl fmt::Debug for ResolveAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaited = self.steps.state().map(|state| match state {
            State::Handle(..) => "handle",
            State::Document(..) => "document",
        });
        f.debug_struct("ResolveAccount").field("awaited", &awaited).finish_non_exhaustive()
    }
}
