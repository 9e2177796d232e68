//! What resolution is allowed to ask, and how long it may take.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::account::ResolveAccount;
use crate::cache::Freshness;
use crate::config::Config;
use crate::did_resolution::resolve_did::ResolveDid;
use crate::handle_resolution::resolve_handle::ResolveHandle;
use crate::identity::ResolveIdentity;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::identifier::Identifier;

/// The configuration of resolution, and where its machines come from. Clones are cheap.
///
/// ```
/// use std::time::Duration;
///
/// use atproto_identity::{Freshness, Handle, Resolver};
///
/// let resolver = Resolver::new().with_dns_grace(Duration::from_millis(200));
/// let machine = resolver.handle(Handle::from_user_input("@alice.example.com")?, Freshness::Fresh);
/// # Ok::<(), atproto_identity::HandleError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Resolver {
    config: Arc<Config>,
}

impl Resolver {
    /// Asks the public PLC directory, DNS, and the hosts that handles and DIDs name.
    pub fn new() -> Self {
        Self { config: Arc::default() }
    }

    /// The PLC directories to ask, in order, in place of <https://plc.directory>.
    ///
    /// The next one is asked when one can't be reached, fails, or wants to be left alone; never
    /// when one says that there is no such DID. Each is trusted with the identity of every
    /// `did:plc`. Without any, `did:plc` is not supported.
    pub fn with_directories(self, directories: impl IntoIterator<Item = Url>) -> Self {
        let directories = directories.into_iter().collect();
        self.with(|config| config.directories = directories)
    }

    /// Asks this service for TXT records, as JSON over HTTPS, in place of the driver's DNS.
    ///
    /// For drivers without DNS, and for networks whose name servers can't be trusted.
    pub fn with_dns_over_https(self, service: Url) -> Self {
        self.with(|config| config.dns_over_https = Some(service))
    }

    /// Allows what only a development network has: `.test`, `localhost`, plain http to them.
    ///
    /// The driver must be built for development, too.
    pub fn development(self) -> Self {
        self.with(|config| config.development = true)
    }

    /// How long DNS is still waited for once HTTPS has brought a DID; half a second by default.
    pub fn with_dns_grace(self, grace: Duration) -> Self {
        self.with(|config| config.dns_grace = grace)
    }

    /// The time for each method of resolving a handle; three seconds by default.
    ///
    /// If there are redirects, all of them together get this time once more.
    pub fn with_handle_timeout(self, timeout: Duration) -> Self {
        self.with(|config| config.handle_timeout = timeout)
    }

    /// The time to fetch a DID document from one place; ten seconds by default.
    pub fn with_document_timeout(self, timeout: Duration) -> Self {
        self.with(|config| config.document_timeout = timeout)
    }

    /// How many redirects are followed from the host of a handle; five by default.
    pub fn with_max_redirects(self, max: u8) -> Self {
        self.with(|config| config.max_redirects = max)
    }

    /// Domains below which no handle has TXT records, so that asking is a waste; none by default.
    pub fn with_skip_dns_suffixes<S: Into<String>>(
        self,
        suffixes: impl IntoIterator<Item = S>,
    ) -> Self {
        let plain = |suffix: S| suffix.into().trim_matches('.').to_ascii_lowercase();
        let suffixes = suffixes.into_iter().map(plain).collect();
        self.with(|config| config.skip_dns_suffixes = suffixes)
    }

    /// Whether this is for a development network.
    pub fn is_development(&self) -> bool {
        self.config.development
    }

    /// Finds the DID that `handle` leads to. Whether the DID claims the handle is not checked.
    pub fn handle(&self, handle: Handle, freshness: Freshness) -> ResolveHandle {
        ResolveHandle::new(Arc::clone(&self.config), handle, freshness)
    }

    /// Fetches the document of `did`.
    pub fn did(&self, did: Did, freshness: Freshness) -> ResolveDid {
        ResolveDid::new(Arc::clone(&self.config), did, freshness)
    }

    /// Finds an account and its server, for a login: no more requests than that takes.
    pub fn account(&self, identifier: Identifier, freshness: Freshness) -> ResolveAccount {
        ResolveAccount::new(Arc::clone(&self.config), identifier, freshness)
    }

    /// Finds an account, its server, and its verified handle.
    pub fn identity(&self, identifier: Identifier, freshness: Freshness) -> ResolveIdentity {
        ResolveIdentity::new(Arc::clone(&self.config), identifier, freshness)
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new()
    }
}
