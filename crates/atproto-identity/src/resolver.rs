//! [`Resolver`]: the configuration of resolution, and the constructor of its machines.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::account::ResolveAccount;
use crate::cache::Forget;
use crate::config::Config;
use crate::did_resolution::resolve_did::ResolveDid;
use crate::freshness::Freshness;
use crate::handle_resolution::resolve_handle::ResolveHandle;
use crate::identity::ResolveIdentity;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::identifier::Identifier;
use crate::trace::{TraceDid, TraceHandle};

/// Configuration of resolution; creates the machines. Clones are cheap.
///
/// ```
/// use std::time::Duration;
///
/// use atproto_identity::{Freshness, Handle, Resolver};
///
/// let resolver = Resolver::new().with_handle_timeout(Duration::from_secs(2));
/// let machine = resolver.handle(Handle::from_user_input("@alice.example.com")?, Freshness::Fresh);
/// # Ok::<(), atproto_identity::HandleError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Resolver {
    config: Arc<Config>,
}

impl Resolver {
    /// A resolver with the default settings: it asks <https://plc.directory>, the DNS of the
    /// driver, and the hosts that handles and DIDs name.
    pub fn new() -> Self {
        Self { config: Arc::default() }
    }

    /// Sets the PLC directories to ask, in order, in place of <https://plc.directory>.
    ///
    /// If a directory can't be reached, fails (5xx) or limits the rate (429), the next one is
    /// asked. If a directory answers that there is no such DID, no other is asked. Each directory
    /// is trusted with the identity of every `did:plc`. If the list is empty, `did:plc` is not
    /// supported.
    pub fn with_directories(self, directories: impl IntoIterator<Item = Url>) -> Self {
        let directories = directories.into_iter().collect();
        self.with(|config| config.directories = directories)
    }

    /// Sets a DNS over HTTPS service (JSON form) for TXT records, in place of the driver's DNS.
    ///
    /// For drivers without DNS, and for networks with nameservers that can't be trusted. The
    /// service is trusted with the DNS records of every handle.
    pub fn with_dns_over_https(self, service: Url) -> Self {
        self.with(|config| config.dns_over_https = Some(service))
    }

    /// Allows the names of a development network, `.test` and `localhost`, and plain http to them.
    ///
    /// The driver must be built for development networks, too; otherwise it refuses the requests.
    pub fn development(self) -> Self {
        self.with(|config| config.development = true)
    }

    /// Limits the time that DNS still gets after HTTPS has returned a DID. By default, DNS gets its
    /// own time ([`with_handle_timeout`](Self::with_handle_timeout)).
    ///
    /// With a short grace, the owner of the handle's web site can choose the account against the
    /// owner of its DNS records, by being faster. A DID that was taken before DNS has answered is
    /// not cached.
    pub fn with_dns_grace(self, grace: Duration) -> Self {
        self.with(|config| config.dns_grace = Some(grace))
    }

    /// Sets the time limit of each method of resolving a handle (DNS, HTTPS); 3 s by default.
    ///
    /// If the host redirects, all redirects together get this time once more.
    pub fn with_handle_timeout(self, timeout: Duration) -> Self {
        self.with(|config| config.handle_timeout = timeout)
    }

    /// Sets the time limit of a DID document; 10 s by default.
    ///
    /// If several PLC directories are configured, each one gets an equal share of the time that is
    /// left, so that a directory that never answers leaves time for the next one.
    pub fn with_document_timeout(self, timeout: Duration) -> Self {
        self.with(|config| config.document_timeout = timeout)
    }

    /// Sets how many redirects of the host of a handle are followed; 5 by default.
    pub fn with_max_redirects(self, max: u8) -> Self {
        self.with(|config| config.max_redirects = max)
    }

    /// Sets domains whose handles have no TXT records, so that the DNS lookup is skipped for all
    /// handles below them; none by default.
    pub fn with_skip_dns_suffixes<S: Into<String>>(
        self,
        suffixes: impl IntoIterator<Item = S>,
    ) -> Self {
        let plain = |suffix: S| suffix.into().trim_matches('.').to_ascii_lowercase();
        let suffixes = suffixes.into_iter().map(plain).collect();
        self.with(|config| config.skip_dns_suffixes = suffixes)
    }

    /// Returns whether [`development`](Self::development) was called.
    pub fn is_development(&self) -> bool {
        self.config.development
    }

    /// Resolves `handle` to its DID. Does not check that the DID document claims the handle.
    pub fn handle(&self, handle: Handle, freshness: Freshness) -> ResolveHandle {
        ResolveHandle::new(Arc::clone(&self.config), handle, freshness)
    }

    /// Resolves `did` to its DID document.
    pub fn did(&self, did: Did, freshness: Freshness) -> ResolveDid {
        ResolveDid::new(Arc::clone(&self.config), did, freshness)
    }

    /// Resolves `handle` to its DID, and tells which method has named it. Always asks the network;
    /// for programs that explain a resolution.
    pub fn trace_handle(&self, handle: Handle) -> TraceHandle {
        TraceHandle::new(Arc::clone(&self.config), handle)
    }

    /// Resolves `did` to its DID document, and tells its URL. Always asks the network; for programs
    /// that explain a resolution.
    pub fn trace_did(&self, did: Did) -> TraceDid {
        TraceDid::new(Arc::clone(&self.config), did)
    }

    /// Resolves `identifier` to the account and its server, for a login. If `identifier` is a DID,
    /// its handle is not verified, which saves requests.
    pub fn account(&self, identifier: Identifier, freshness: Freshness) -> ResolveAccount {
        ResolveAccount::new(Arc::clone(&self.config), identifier, freshness)
    }

    /// Resolves `identifier` to the account, its server and its verified handle.
    pub fn identity(&self, identifier: Identifier, freshness: Freshness) -> ResolveIdentity {
        ResolveIdentity::new(Arc::clone(&self.config), identifier, freshness)
    }

    /// Removes an account from the cache, so that the next resolution asks the network.
    ///
    /// For a program that learns that an identity has changed. The machine asks for no call. Given
    /// a handle, it also removes the document of the DID that the cache holds for the handle. What
    /// resolvers with other settings have cached stays.
    pub fn forget(&self, identifier: Identifier) -> Forget {
        Forget::new(Arc::clone(&self.config), identifier)
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
