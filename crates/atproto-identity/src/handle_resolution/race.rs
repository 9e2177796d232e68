//! [`Race`]: resolves a handle by DNS and HTTPS at the same time.
//!
//! ```text
//!   race ──┬─ DNS: one DID, or several ─────▶ end
//!          ├─ DNS: no DID; HTTPS has ended ─▶ end
//!          └─ HTTPS: a DID ──▶ grace ───────▶ end
//! ```
//!
//! Both calls are queued at once, DNS first. A driver that performs one call at a time asks DNS
//! first; if DNS returns a DID, the HTTPS request is withdrawn before it is sent. With a driver
//! that performs both calls at once, HTTPS may answer first. DNS then gets a grace period, because
//! the result of DNS has priority.
//!
//! atproto Handle, «Resolution Best Practices».

use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{Cx, Held, Machine, Ticket};

use crate::config::Config;
use crate::error::IdentityError;
use crate::handle_resolution::by_dns::ByDns;
use crate::handle_resolution::by_https::ByHttps;
use crate::handle_resolution::method::{Method, MethodFailure};
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;

/// Machine that resolves a handle by both methods.
pub(crate) struct Race {
    handle: Handle,
    dns_method: Method,
    /// `None` if the DNS lookup is skipped ([`Config::skips_dns`]); HTTPS then runs alone.
    dns: Option<Held<ByDns>>,
    https: Held<ByHttps>,
    grace: Duration,
    pause: Option<Ticket<()>>,
}

impl Race {
    pub(crate) fn new(config: &Arc<Config>, handle: &Handle) -> Self {
        let skip = config.skips_dns(handle);
        Self {
            handle: handle.clone(),
            dns_method: ByDns::method(config),
            dns: (!skip).then(|| Held::new(ByDns::new(Arc::clone(config), handle.clone()))),
            https: Held::new(ByHttps::new(Arc::clone(config), handle)),
            grace: config.dns_grace,
            pause: None,
        }
    }

    /// Ready when the grace period of DNS has ended.
    fn wait_for_dns(&mut self, cx: &mut Cx<'_>) -> Poll<()> {
        if self.grace.is_zero() {
            return Poll::Ready(());
        }
        let pause = &*self.pause.get_or_insert_with(|| cx.sleep(self.grace));
        // If the driver does not support pauses, the grace period ends at once.
        cx.take(pause).map(drop)
    }

    fn failure(&mut self, https: IdentityError) -> IdentityError {
        let dns = self.dns.as_mut().and_then(Held::take).and_then(Result::err);
        let dns = dns.map(|error| MethodFailure { method: self.dns_method, error });
        let https = MethodFailure { method: Method::Https, error: https };
        let mut failures: Vec<_> = dns.into_iter().chain([https]).collect();
        MethodFailure::sort(&mut failures);
        IdentityError::Unresolved { handle: self.handle.clone(), failures }
    }
}

impl Machine for Race {
    type Output = Did;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Did, IdentityError>> {
        let dns_ended = self.dns.as_mut().is_none_or(|dns| dns.advance(cx));
        if let Some(result) = self.dns.as_mut().and_then(take_decision) {
            return Poll::Ready(result);
        }
        self.https.advance(cx);
        match self.https.result() {
            None => return Poll::Pending,
            Some(Err(_)) if !dns_ended => return Poll::Pending,
            Some(Ok(_)) if !dns_ended => ready!(self.wait_for_dns(cx)),
            Some(_) => {}
        }
        let https = self.https.take().expect("a race is not polled after its end");
        Poll::Ready(https.map_err(|error| self.failure(error)))
    }
}

/// Takes the result of DNS if it decides the race: one DID, or several (`Ambiguous`).
fn take_decision(dns: &mut Held<ByDns>) -> Option<Result<Did, IdentityError>> {
    match dns.result()? {
        Ok(_) | Err(IdentityError::Ambiguous { .. }) => dns.take(),
        Err(_) => None,
    }
}
