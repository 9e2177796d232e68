//! [`ResolveIdentity`]: resolves a handle or DID to the account, its server and its verified
//! handle.
//!
//! ```text
//!   account ──┬─ by DID, claims a handle ──▶ handle ──▶ end
//!             └─ by handle, or claims none ───────────▶ end
//! ```
//!
//! Guarantees of `Ok`: those of [`Account`], and a returned handle leads to the DID. If a DID was
//! given and its handle can't be verified, the handle is `None`, and the machine does not fail.
//!
//! atproto Handle, «Handle Resolution» and «Invalid Handles».

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use atproto_sansio::{Budget, Cx, Machine, Step, Steps};
use url::Url;

use crate::account::{Account, ResolveAccount};
use crate::config::Config;
use crate::did_resolution::document::DidDocument;
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::handle_resolution::resolve_handle::ResolveHandle;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::identifier::Identifier;

/// An account with its DID, verified handle, server (PDS) and DID document.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// Permanent identifier of the account. Programs store data of the account under the DID,
    /// because the handle can change.
    pub did: Did,
    /// Handle of the account, for display. It leads to the DID, and the DID document claims it.
    /// `None` if there is no such handle; services then show [`Handle::PLACEHOLDER`].
    pub handle: Option<Handle>,
    /// Origin of the account's server (PDS).
    pub pds: Url,
    /// The DID document, the source of `pds`.
    pub document: DidDocument,
}

/// Machine of [`Resolver::identity`](crate::Resolver::identity): resolves a handle or DID to an
/// [`Identity`].
pub struct ResolveIdentity {
    config: Arc<Config>,
    freshness: Freshness,
    /// Whether a DID was given, so that the handle in its document must still be verified.
    by_did: bool,
    steps: Steps<State>,
}

enum State {
    Account(ResolveAccount),
    Handle(Box<Account>, ResolveHandle),
}

impl ResolveIdentity {
    pub(crate) fn new(config: Arc<Config>, identifier: Identifier, freshness: Freshness) -> Self {
        let by_did = matches!(identifier, Identifier::Did(_));
        let state = State::Account(ResolveAccount::new(Arc::clone(&config), identifier, freshness));
        Self { config, freshness, by_did, steps: Steps::begin(state) }
    }
}

impl Machine for ResolveIdentity {
    type Output = Identity;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Identity, IdentityError>> {
        let Self { config, freshness, by_did, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Account(mut resolve) => match resolve.poll(cx) {
                    Poll::Pending => Step::Wait(State::Account(resolve)),
                    Poll::Ready(account) => {
                        let account = account?;
                        match account.document.handle().cloned() {
                            Some(claimed) if *by_did => {
                                let config = Arc::clone(config);
                                let resolve = ResolveHandle::new(config, claimed, *freshness);
                                Step::Next(State::Handle(Box::new(account), resolve))
                            }
                            // If a handle was given, `ResolveAccount` has verified it already.
                            handle => Step::Done(Identity::new(account, handle)),
                        }
                    }
                },
                State::Handle(account, mut resolve) => match resolve.poll(cx) {
                    Poll::Pending => Step::Wait(State::Handle(account, resolve)),
                    Poll::Ready(resolved) => {
                        let verified = resolved.is_ok_and(|did| did == account.did);
                        let handle = account.document.handle().filter(|_| verified).cloned();
                        Step::Done(Identity::new(*account, handle))
                    }
                },
            })
        })
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
        let awaited = self.steps.state().map(|state| match state {
            State::Account(_) => "account",
            State::Handle(..) => "handle",
        });
        f.debug_struct("ResolveIdentity").field("awaited", &awaited).finish_non_exhaustive()
    }
}
