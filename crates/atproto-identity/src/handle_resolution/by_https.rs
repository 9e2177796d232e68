//! Asks the host that a handle names, and follows its redirects.
//!
//! ```text
//!   ┌──▶ host ──▶ DID
//!   └─────┘
//!   redirect
//! ```
//!
//! Each hop is a call of its own, so that each is checked and counted like the first.

use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{Cx, Fetch, Machine, Phase, TransportError, printable};
use url::Url;

use crate::config::Config;
use crate::error::IdentityError;
use crate::handle_resolution::well_known::{self, Answer, WellKnown};
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;

/// Resolves a handle by the host that it names.
pub(crate) struct ByHttps {
    config: Arc<Config>,
    hops_left: u8,
    /// When all redirects together have taken too long.
    deadline: Option<Duration>,
    host: Fetch<WellKnown>,
}

impl ByHttps {
    pub(crate) fn new(config: Arc<Config>, handle: &Handle) -> Self {
        let url = well_known::url(handle, config.development);
        let timeout = config.handle_timeout;
        let development = config.development;
        let host = Fetch::new(WellKnown { url, timeout, development });
        Self { hops_left: config.max_redirects, deadline: None, host, config }
    }

    fn follow(&mut self, url: Url, elapsed: Duration) -> Result<(), IdentityError> {
        let Some(hops_left) = self.hops_left.checked_sub(1) else {
            let rule = "there were too many before it";
            return Err(IdentityError::Redirect { to: printable(url.as_str()), rule });
        };
        self.hops_left = hops_left;
        let config = &self.config;
        // Not counted from the start: the first call may have waited in a driver's queue.
        let latest = elapsed.saturating_add(config.handle_timeout);
        let deadline = *self.deadline.get_or_insert(latest);
        let timeout = deadline.saturating_sub(elapsed);
        if timeout.is_zero() {
            return Err(TransportError::new(Phase::TimedOut, "the redirects took too long").into());
        }
        let development = config.development;
        self.host = Fetch::new(WellKnown { url: url.into(), timeout, development });
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
