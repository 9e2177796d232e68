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
use std::task::{Poll, ready};

use atproto_sansio::{Budget, Cx, Machine};
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
    /// The given handle, which the document must claim; `None` if a DID was given.
    handle: Option<Handle>,
    freshness: Freshness,
    state: State,
}

enum State {
    Handle(ResolveHandle),
    Document(ResolveDid),
}

impl ResolveAccount {
    pub(crate) fn new(config: Arc<Config>, identifier: Identifier, freshness: Freshness) -> Self {
        let (handle, state) = match identifier {
            Identifier::Handle(handle) => {
                let resolve = ResolveHandle::new(Arc::clone(&config), handle.clone(), freshness);
                (Some(handle), State::Handle(resolve))
            }
            Identifier::Did(did) => {
                (None, State::Document(ResolveDid::new(Arc::clone(&config), did, freshness)))
            }
        };
        Self { config, handle, freshness, state }
    }

    fn accept(&self, cx: &Cx<'_>, document: DidDocument) -> Result<Account, IdentityError> {
        let did = document.did().clone();
        if let Some(handle) = &self.handle
            && document.handle() != Some(handle)
        {
            // The handle or the document may come from the cache, and be older than a change of the
            // account's handle. Both are removed from the cache, so that a retry resolves them
            // again.
            forget(cx, &self.config, &handle.clone().into());
            return Err(IdentityError::HandleMismatch {
                input: handle.clone(),
                did,
                declared: document.handle().cloned(),
            });
        }
        let pds = document.pds(self.config.development)?;
        Ok(Account { did, pds, document })
    }
}

impl Machine for ResolveAccount {
    type Output = Account;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Account, IdentityError>> {
        loop {
            match &mut self.state {
                State::Handle(resolve) => {
                    let did = ready!(resolve.poll(cx))?;
                    self.state = State::Document(ResolveDid::new(
                        Arc::clone(&self.config),
                        did,
                        self.freshness,
                    ));
                }
                State::Document(resolve) => {
                    let document = ready!(resolve.poll(cx))?;
                    return Poll::Ready(self.accept(cx, document));
                }
            }
        }
    }

    fn budget(&self) -> Budget {
        self.config.identity_budget()
    }
}

impl fmt::Debug for ResolveAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaited = match &self.state {
            State::Handle(_) => "handle",
            State::Document(_) => "document",
        };
        f.debug_struct("ResolveAccount").field("awaited", &awaited).finish_non_exhaustive()
    }
}
