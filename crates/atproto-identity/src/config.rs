//! [`Config`]: the settings of resolution, shared by all machines of this crate.

use std::time::Duration;

use atproto_sansio::{Budget, Reach};
use url::Url;

use crate::syntax::handle::Handle;

/// The settings of resolution; [`Resolver`](crate::Resolver) documents and changes them.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) directories: Vec<Url>,
    pub(crate) dns_over_https: Option<Url>,
    pub(crate) development: bool,
    /// `None`: DNS gets its own time, `handle_timeout`.
    pub(crate) dns_grace: Option<Duration>,
    pub(crate) handle_timeout: Duration,
    pub(crate) document_timeout: Duration,
    pub(crate) max_redirects: u8,
    pub(crate) skip_dns_suffixes: Vec<String>,
}

impl Config {
    /// Reach of requests to hosts that a handle, a DID or a redirect names.
    pub(crate) fn reach(&self) -> Reach {
        Reach::untrusted(self.development)
    }

    /// Whether the DNS lookup of `handle` is skipped, because `_atproto.` and the handle together
    /// are too long for a DNS name, or because the handle is below one of the `skip_dns_suffixes`.
    pub(crate) fn skips_dns(&self, handle: &Handle) -> bool {
        let handle = handle.as_str();
        let below = |suffix: &String| {
            handle.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        handle.len() > MAX_DNS_HANDLE || self.skip_dns_suffixes.iter().any(below)
    }

    /// Budget of a handle: one request for DNS over HTTPS, one for the host, its redirects, and one
    /// in reserve. A driver may ask DNS, the host and its redirects one after another.
    pub(crate) fn handle_budget(&self) -> Budget {
        let time = self.handle_timeout.saturating_mul(3).saturating_add(Duration::from_secs(1));
        Budget::new(3 + u32::from(self.max_redirects), time)
    }

    /// Budget of a DID document: one request to the host of a `did:web`, or one to each PLC
    /// directory. The time before a request is sent is extra.
    pub(crate) fn did_budget(&self) -> Budget {
        let directories = u32::try_from(self.directories.len()).unwrap_or(u32::MAX);
        let time = self.document_timeout.saturating_add(Duration::from_secs(10));
        Budget::new(directories.max(6), time)
    }

    /// Budget of a handle and a document, in either order.
    pub(crate) fn identity_budget(&self) -> Budget {
        let (handle, did) = (self.handle_budget(), self.did_budget());
        Budget::new(handle.http.saturating_add(did.http), handle.time.saturating_add(did.time))
    }
}

impl Default for Config {
    fn default() -> Self {
        let directory = "https://plc.directory".parse().expect("a constant URL is well-formed");
        Self {
            directories: vec![directory],
            dns_over_https: None,
            development: false,
            dns_grace: None,
            handle_timeout: Duration::from_secs(3),
            document_timeout: Duration::from_secs(10),
            max_redirects: 5,
            skip_dns_suffixes: Vec::new(),
        }
    }
}

/// Longest handle that is a DNS name with `_atproto.` in front: 253 characters less 9.
const MAX_DNS_HANDLE: usize = 244;
