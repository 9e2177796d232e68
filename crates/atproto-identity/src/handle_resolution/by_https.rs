//! Asks the host of a handle for its DID, and follows redirects.
//!
//! ```text
//!   ┌──▶ host ──▶ DID
//!   └─────┘
//!   redirect
//! ```
//!
//! Each redirect is a new HTTP call, so that its URL is checked and counted like the first one.

use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{Cx, Fetch, Machine, Phase, TransportError, printable};
use url::Url;

use crate::config::Config;
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::handle_resolution::well_known::{self, Answer, WellKnown};
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;

/// Machine that resolves a handle by an HTTPS request to the host of the same name.
pub(crate) struct ByHttps {
    config: Arc<Config>,
    freshness: Freshness,
    hops_left: u8,
    /// Deadline of all redirects together, on the scale of `Cx::elapsed`; set by the first
    /// redirect.
    deadline: Option<Duration>,
    host: Fetch<WellKnown>,
}

impl ByHttps {
    pub(crate) fn new(config: Arc<Config>, handle: &Handle, freshness: Freshness) -> Self {
        let url = well_known::url(handle, config.development);
        let timeout = config.handle_timeout;
        let development = config.development;
        let host = Fetch::new(WellKnown { url, freshness, timeout, development });
        Self { hops_left: config.max_redirects, deadline: None, host, freshness, config }
    }

    fn follow(&mut self, url: Url, elapsed: Duration) -> Result<(), IdentityError> {
        let Some(hops_left) = self.hops_left.checked_sub(1) else {
            let rule = "there are more redirects than `with_max_redirects` allows";
            return Err(IdentityError::Redirect { to: printable(url.as_str()), rule });
        };
        self.hops_left = hops_left;
        let config = &self.config;
        // The time of the redirects begins with the first redirect, not with the first request,
        // because the first request may have waited in the queue of the driver.
        let latest = elapsed.saturating_add(config.handle_timeout);
        let deadline = *self.deadline.get_or_insert(latest);
        let timeout = deadline.saturating_sub(elapsed);
        if timeout.is_zero() {
            return Err(TransportError::new(Phase::TimedOut, "the redirects took too long").into());
        }
        let development = config.development;
        let (url, freshness) = (url.into(), self.freshness);
        self.host = Fetch::new(WellKnown { url, freshness, timeout, development });
        Ok(())
    }
}

impl Machine for ByHttps {
    type Output = Did;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Did, IdentityError>> {
        loop {
            match ready!(self.host.poll(cx))? {
                Answer::Did(did) => return Poll::Ready(Ok(did)),
                Answer::Redirect(url) => self.follow(url, cx.elapsed())?,
            }
        }
    }
}
