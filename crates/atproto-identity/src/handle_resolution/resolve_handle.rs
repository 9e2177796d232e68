//! From a handle to its DID.
//!
//! ```text
//!   begin ──┬─▶ race of DNS and HTTPS ──▶ end
//!           └─ remembered, or reserved ─▶ end
//! ```
//!
//! What this machine guarantees when it ends in `Ok`: the domain's DNS or host names this one DID,
//! now or within the last nine minutes. It does not guarantee that the DID claims the handle.
//!
//! atproto Handle, «Handle Resolution».

use std::fmt;
use std::task::{Poll, ready};

use atproto_sansio::{Budget, Cx, Machine};

use crate::cache::{Freshness, learn_did, recall_did};
use crate::error::IdentityError;
use crate::handle_resolution::race::Race;
use crate::resolver::Resolver;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;

/// Finds the DID that a handle leads to. See [`Resolver::handle`].
pub struct ResolveHandle {
    resolver: Resolver,
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
    pub(crate) fn new(resolver: Resolver, handle: Handle, freshness: Freshness) -> Self {
        Self { resolver, handle, freshness, state: State::Begin }
    }

    fn recall(&self, cx: &Cx<'_>) -> Option<Did> {
        let development = self.resolver.is_development();
        match self.freshness {
            Freshness::Cached => recall_did(cx, &self.handle, development),
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
            self.handle.check_resolvable(self.resolver.is_development())?;
            if let Some(did) = self.recall(cx) {
                return Poll::Ready(Ok(did));
            }
            self.state = State::Race(Box::new(Race::new(&self.resolver, &self.handle)));
        }
        let State::Race(race) = &mut self.state else {
            unreachable!("a resolution was polled after its end");
        };
        let result = ready!(race.poll(cx));
        self.state = State::Ended;
        learn_did(cx, &self.handle, &result);
        Poll::Ready(result)
    }

    fn budget(&self) -> Budget {
        self.resolver.config.handle_budget()
    }
}

impl fmt::Debug for ResolveHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveHandle").field("handle", &self.handle).finish_non_exhaustive()
    }
}
