//! [`Race`]: resolves a handle by DNS and HTTPS at the same time.
//!
//! ```text
//!   race ──┬─ DNS: one DID, or several ──────────────────────▶ end
//!          ├─ DNS: no DID, or a failure; HTTPS has ended ────▶ end
//!          └─ HTTPS: a DID; the grace of DNS is over ────────▶ end, undecided
//! ```
//!
//! Both calls are queued at once, DNS first. A driver that performs one call at a time asks DNS
//! first; if DNS returns a DID, the HTTPS request is withdrawn before it is sent.
//!
//! With a driver that performs both calls at once, HTTPS may answer first. The owner of the web
//! site would otherwise choose the account by being fast, so the race waits until DNS has answered
//! or has used up its own time. Only [`Resolver::with_dns_grace`](crate::Resolver::with_dns_grace)
//! makes the wait shorter; its result is not cached.
//!
//! atproto Handle, «Resolution Best Practices».

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Cx, Held, Machine, Ticket};

use crate::config::Config;
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::handle_resolution::by_dns::ByDns;
use crate::handle_resolution::by_https::ByHttps;
use crate::handle_resolution::method::{MethodFailure, ResolutionMethod};
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;

/// Machine that resolves a handle by both methods.
pub(crate) struct Race {
    handle: Handle,
    dns_method: ResolutionMethod,
    /// `None` if the DNS lookup is skipped ([`Config::skips_dns`]); HTTPS then runs alone.
    dns: Option<Held<ByDns>>,
    https: Held<ByHttps>,
    grace: Grace,
}

/// The time that DNS still gets after HTTPS has returned a DID.
enum Grace {
    /// DNS gets its own time. There is no pause, or the driver can't make one.
    WholeTime,
    /// DNS gets this time.
    Limit(Duration),
    Pause(Ticket<()>),
}

/// The DID that a race ends in.
pub(crate) struct Winner {
    pub(crate) did: Did,
    pub(crate) method: ResolutionMethod,
    /// Whether DNS has answered or failed. If it has not, its answer might be another DID.
    pub(crate) dns_ended: bool,
}

impl Race {
    pub(crate) fn new(config: &Arc<Config>, handle: &Handle, freshness: Freshness) -> Self {
        let skip = config.skips_dns(handle);
        let by_dns = || ByDns::new(Arc::clone(config), handle.clone(), freshness);
        Self {
            handle: handle.clone(),
            dns_method: ByDns::method(config),
            dns: (!skip).then(|| Held::new(by_dns())),
            https: Held::new(ByHttps::new(Arc::clone(config), handle, freshness)),
            grace: config.dns_grace.map_or(Grace::WholeTime, Grace::Limit),
        }
    }

    /// Returns whether the grace of DNS is over.
    fn is_grace_over(&mut self, cx: &mut Cx<'_>) -> bool {
        if let Grace::Limit(grace) = self.grace {
            if grace.is_zero() {
                return true;
            }
            self.grace = Grace::Pause(cx.sleep(grace));
        }
        let Grace::Pause(pause) = &self.grace else { return false };
        match cx.take(pause) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(_)) => {
                self.grace = Grace::WholeTime;
                false
            }
        }
    }

    fn failure(&mut self, https: IdentityError) -> IdentityError {
        let dns = self.dns.as_mut().and_then(Held::take).and_then(Result::err);
        let dns = dns.map(|error| MethodFailure { method: self.dns_method, error });
        let https = MethodFailure { method: ResolutionMethod::Https, error: https };
        let mut failures: Vec<_> = dns.into_iter().chain([https]).collect();
        MethodFailure::sort(&mut failures);
        IdentityError::Unresolved { handle: self.handle.clone(), failures }
    }
}

impl Machine for Race {
    type Output = Winner;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Winner, IdentityError>> {
        let dns_ended = self.dns.as_mut().is_none_or(|dns| dns.advance(cx));
        if let Some(result) = self.dns.as_mut().and_then(take_decision) {
            let method = self.dns_method;
            return Poll::Ready(result.map(|did| Winner { did, method, dns_ended }));
        }
        self.https.advance(cx);
        let Some(result) = self.https.take() else { return Poll::Pending };
        let is_decided = dns_ended || (result.is_ok() && self.is_grace_over(cx));
        if !is_decided {
            self.https = Held::ended(result);
            return Poll::Pending;
        }
        Poll::Ready(match result {
            Ok(did) => Ok(Winner { did, method: ResolutionMethod::Https, dns_ended }),
            Err(error) => Err(self.failure(error)),
        })
    }
}

/// Takes the result of DNS if it decides the race: one DID, or several (`Ambiguous`).
fn take_decision(dns: &mut Held<ByDns>) -> Option<Result<Did, IdentityError>> {
    match dns.result()? {
        Ok(_) | Err(IdentityError::Ambiguous { .. }) => dns.take(),
        Err(_) => None,
    }
}
