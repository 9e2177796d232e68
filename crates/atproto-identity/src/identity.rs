//! From an identifier to the account, its server and its verified handle.
//!
//! ```text
//!   account ──┬─ by DID, claims a handle ──▶ handle ──▶ end
//!             └─ by handle, or claims none ───────────▶ end
//! ```
//!
//! What this machine guarantees when it ends in `Ok`, beyond what holds for an [`Account`]: a
//! handle that it gives leads to the DID. A handle that can't be verified is left out, and is no
//! reason to fail.
//!
//! atproto Handle, «Handle Resolution» and «Invalid Handles».

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, ready};

use atproto_sansio::{Budget, Cx, Machine};
use url::Url;

use crate::account::{Account, ResolveAccount};
use crate::cache::Freshness;
use crate::config::Config;
use crate::did_resolution::document::DidDocument;
use crate::error::IdentityError;
use crate::handle_resolution::resolve_handle::ResolveHandle;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::identifier::Identifier;

/// Who an account is, and where it lives.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// The account's lasting name: the key to keep things under.
    pub did: Did,
    /// The handle, if it and the account name each other: for display. `None` is what services
    /// show as [`Handle::PLACEHOLDER`].
    pub handle: Option<Handle>,
    /// The origin of the account's server.
    pub pds: Url,
    /// The document that says so.
    pub document: DidDocument,
}

/// Finds an account, its server, and its verified handle. See [`Resolver::identity`](crate::Resolver::identity).
pub struct ResolveIdentity {
    config: Arc<Config>,
    freshness: Freshness,
    /// Whether the handle that the document claims is still to be verified.
    by_did: bool,
    state: State,
}

enum State {
    Account(ResolveAccount),
    Handle(Box<Account>, ResolveHandle),
}

impl ResolveIdentity {
    pub(crate) fn new(config: Arc<Config>, identifier: Identifier, freshness: Freshness) -> Self {
        let by_did = matches!(identifier, Identifier::Did(_));
        let state = State::Account(ResolveAccount::new(Arc::clone(&config), identifier, freshness));
        Self { config, freshness, by_did, state }
    }
}

impl Machine for ResolveIdentity {
    type Output = Identity;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Identity, IdentityError>> {
        loop {
            match &mut self.state {
                State::Account(resolve) => {
                    let account = ready!(resolve.poll(cx))?;
                    match account.document.handle().cloned() {
                        Some(claimed) if self.by_did => {
                            let resolve = ResolveHandle::new(
                                Arc::clone(&self.config),
                                claimed,
                                self.freshness,
                            );
                            self.state = State::Handle(Box::new(account), resolve);
                        }
                        // By handle, what is claimed is what was given.
                        handle => return Poll::Ready(Ok(Identity::new(account, handle))),
                    }
                }
                State::Handle(account, resolve) => {
                    let resolved = ready!(resolve.poll(cx));
                    let verified = resolved.is_ok_and(|did| did == account.did);
                    let handle = account.document.handle().filter(|_| verified).cloned();
                    return Poll::Ready(Ok(Identity::new((**account).clone(), handle)));
                }
            }
        }
    }

    fn budget(&self) -> Budget {
        self.config.identity_budget()
    }
}

impl Identity {
    fn new(account: Account, handle: Option<Handle>) -> Self {
        let Account { did, pds, document } = account;
        Self { did, handle, pds, document }
    }
}

impl fmt::Debug for ResolveIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaited = match &self.state {
            State::Account(_) => "account",
            State::Handle(..) => "handle",
        };
        f.debug_struct("ResolveIdentity").field("awaited", &awaited).finish_non_exhaustive()
    }
}
