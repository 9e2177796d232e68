//! From an identifier to the account and its server, for a login.
//!
//! ```text
//!   handle ──▶ document ──▶ end
//!                 ▲
//!   DID ──────────┘
//! ```
//!
//! What this machine guarantees when it ends in `Ok`: the document names a PDS that may be asked;
//! and if a handle was given, the handle and the document name each other. Of a DID the handle is
//! not looked at, so that a login by DID costs one request.
//!
//! atproto OAuth, «Identity Authentication»; atproto Handle, «Handle Resolution».

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, ready};

use atproto_sansio::{Budget, Cx, Machine};
use url::Url;

use crate::cache::{Freshness, forget};
use crate::config::Config;
use crate::did_resolution::document::DidDocument;
use crate::did_resolution::resolve_did::ResolveDid;
use crate::error::IdentityError;
use crate::handle_resolution::resolve_handle::ResolveHandle;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::identifier::Identifier;

/// An account and its server.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Account {
    /// The account's lasting name.
    pub did: Did,
    /// The origin of its server.
    pub pds: Url,
    /// The document that says so.
    pub document: DidDocument,
}

/// Finds an account and its server. See [`Resolver::account`](crate::Resolver::account).
pub struct ResolveAccount {
    config: Arc<Config>,
    /// The handle that the document must claim.
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
            // One of them may be an old memory, from before the account changed its handle.
            forget(cx, &handle.clone().into());
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
