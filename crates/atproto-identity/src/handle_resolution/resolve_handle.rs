//! [`ResolveHandle`]: resolves a handle to its DID.
//!
//! ```text
//!   begin ──┬─▶ race of DNS and HTTPS ──▶ end
//!           └─ cached, or reserved ─────▶ end
//! ```
//!
//! Guarantee of `Ok`: the DNS or the host of the handle names this DID, now or within the last nine
//! minutes. The machine does not check that the DID document claims the handle.
//!
//! atproto Handle, «Handle Resolution».

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, ready};

use atproto_sansio::{Budget, Cx, Machine};

use crate::cache::{learn_did, recall_did};
use crate::config::Config;
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::handle_resolution::race::Race;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::hostname;

/// Machine of [`Resolver::handle`](crate::Resolver::handle): resolves a handle to its [`Did`].
pub struct ResolveHandle {
    config: Arc<Config>,
    handle: Handle,
    freshness: Freshness,
    state: State,
}

enum State {
    Begin,
    Race(Box<Race>),
    Ended,
}

impl ResolveHandle {
    pub(crate) fn new(config: Arc<Config>, handle: Handle, freshness: Freshness) -> Self {
        Self { config, handle, freshness, state: State::Begin }
    }

    /// Refuses a handle below a reserved top-level domain, before any call.
    fn check_resolvable(&self) -> Result<(), IdentityError> {
        match hostname::reserved_domain(self.handle.as_str(), self.config.development) {
            Some(domain) => Err(IdentityError::ReservedTld { handle: self.handle.clone(), domain }),
            None => Ok(()),
        }
    }

    fn recall(&self, cx: &Cx<'_>) -> Option<Did> {
        match self.freshness {
            Freshness::Cached => recall_did(cx, &self.config, &self.handle),
            Freshness::Fresh => None,
        }
    }
}

impl Machine for ResolveHandle {
    type Output = Did;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Did, IdentityError>> {
        if let State::Begin = self.state {
            self.state = State::Ended;
            self.check_resolvable()?;
            if let Some(did) = self.recall(cx) {
                return Poll::Ready(Ok(did));
            }
            self.state =
                State::Race(Box::new(Race::new(&self.config, &self.handle, self.freshness)));
        }
        let State::Race(race) = &mut self.state else {
            unreachable!("a resolution was polled after its end");
        };
        let result = ready!(race.poll(cx));
        self.state = State::Ended;
        let dns_ended = result.as_ref().map_or(true, |winner| winner.dns_ended);
        let result = result.map(|winner| winner.did);
        // DNS would have had priority, so a result without DNS holds for this resolution alone.
        if dns_ended {
            learn_did(cx, &self.config, &self.handle, &result);
        }
        Poll::Ready(result)
    }

    fn budget(&self) -> Budget {
        self.config.handle_budget()
    }
}

impl fmt::Debug for ResolveHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveHandle").field("handle", &self.handle).finish_non_exhaustive()
    }
}
