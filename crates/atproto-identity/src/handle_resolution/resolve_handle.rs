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
use std::task::Poll;

use atproto_sansio::{Budget, Cx, Machine, Step, Steps};

use crate::cache::{learn_did, recall_did};
use crate::config::Config;
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::handle_resolution::race::{Race, Winner};
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::hostname;

/// Machine of [`Resolver::handle`](crate::Resolver::handle): resolves a handle to its [`Did`].
pub struct ResolveHandle {
    config: Arc<Config>,
    handle: Handle,
    freshness: Freshness,
    steps: Steps<State>,
}

enum State {
    Begin,
    Race(Box<Race>),
}

impl ResolveHandle {
    pub(crate) fn new(config: Arc<Config>, handle: Handle, freshness: Freshness) -> Self {
        Self { config, handle, freshness, steps: Steps::begin(State::Begin) }
    }
}

impl Machine for ResolveHandle {
    type Output = Did;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Did, IdentityError>> {
        let Self { config, handle, freshness, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Begin => {
                    check_resolvable(config, handle)?;
                    let cached = match freshness {
                        Freshness::Cached => recall_did(cx, config, handle),
                        Freshness::Fresh => None,
                    };
                    match cached {
                        Some(did) => Step::Done(did),
                        None => {
                            let race = Race::new(config, handle, *freshness);
                            Step::Next(State::Race(Box::new(race)))
                        }
                    }
                }
                State::Race(mut race) => match race.poll(cx) {
                    Poll::Pending => Step::Wait(State::Race(race)),
                    Poll::Ready(result) => Step::Done(learn(cx, config, handle, result)?),
                },
            })
        })
    }

    fn budget(&self) -> Budget {
        self.config.handle_budget()
    }
}

/// Refuses a handle below a reserved top-level domain, before any call.
pub(crate) fn check_resolvable(config: &Config, handle: &Handle) -> Result<(), IdentityError> {
    match hostname::reserved_domain(handle.as_str(), config.development) {
        Some(domain) => Err(IdentityError::ReservedTld { handle: handle.clone(), domain }),
        None => Ok(()),
    }
}

/// Updates the cache, unless DNS was still open: it would have had priority, so such a result holds
/// for this resolution alone.
fn learn(
    cx: &Cx<'_>,
    config: &Config,
    handle: &Handle,
    result: Result<Winner, IdentityError>,
) -> Result<Did, IdentityError> {
    let dns_ended = result.as_ref().map_or(true, |winner| winner.dns_ended);
    let result = result.map(|winner| winner.did);
    if dns_ended {
        learn_did(cx, config, handle, &result);
    }
    result
}

impl fmt::Debug for ResolveHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveHandle").field("handle", &self.handle).finish_non_exhaustive()
    }
}
