//! Resolves hosts, and checks every resolved address before a connection is made.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use atproto_sansio::{AddressCache, Moment, Reach, Rule, System, TransportError};
use http::Uri;
use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::builder::DriverBuilder;
use crate::socket::Deadline;
use crate::workers::{NoResult, Workers};

/// Addresses of hosts, for calls of one reach.
#[derive(Debug)]
pub(crate) struct Addresses {
    reach: Reach,
    /// Addresses from [`DriverBuilder::host_override`](crate::DriverBuilder::host_override), by
    /// host in lower case; empty if `reach` is `Public`.
    overrides: Arc<BTreeMap<String, SocketAddr>>,
    /// Addresses from [`DriverBuilder::resolve`](crate::DriverBuilder::resolve), by host in lower
    /// case.
    resolved: Arc<BTreeMap<String, Vec<IpAddr>>>,
    lookup: Lookup,
    /// Checked addresses, by host in lower case.
    cache: Mutex<AddressCache>,
    workers: Workers,
}

/// The resolver of a driver: the one of the system, or a function.
#[derive(Clone, Default)]
pub(crate) struct Lookup(Option<Arc<Function>>);

/// ureq's resolver, which resolves nothing: ureq calls it before it looks for a kept connection.
/// [`Connect`](crate::connect::Connect) resolves the host of a new one.
#[derive(Debug)]
pub(crate) struct Deferred;

impl Addresses {
    pub(crate) fn new(reach: Reach, settings: &DriverBuilder, workers: Workers) -> Self {
        let overrides = match reach {
            Reach::Public => Arc::default(),
            Reach::Configured | Reach::Development => Arc::clone(&settings.overrides),
        };
        Self {
            reach,
            overrides,
            resolved: Arc::clone(&settings.resolved),
            lookup: settings.lookup.clone(),
            cache: Mutex::new(AddressCache::new(settings.addresses_for)),
            workers,
        }
    }

    /// Returns addresses of the host of `uri`, all of them checked, with its port.
    pub(crate) fn find(&self, uri: &Uri, deadline: Deadline) -> Result<Vec<SocketAddr>, Error> {
        let name = name(uri);
        if let Some(&address) = self.overrides.get(&name) {
            return Ok(vec![address]);
        }
        let at = System::moment();
        let known = self.known(&name, at);
        let is_new = known.is_none();
        let mut found = match known {
            Some(known) => known,
            None => self.look_up(name.clone(), deadline)?,
        };
        // Remembered addresses are checked again, because a check costs less than a doubt.
        self.check(&name, &found)
            .map_err(|rule| Error::Other(Box::new(TransportError::blocked(rule))))?;
        if found.is_empty() {
            return Err(Error::HostNotFound);
        }
        if is_new {
            self.cache().put(&name, &found, at);
        }
        for address in &mut found {
            address.set_port(port(uri));
        }
        Ok(found)
    }

    /// Forgets the addresses of the host of `uri`, because none of them could be connected to.
    pub(crate) fn forget(&self, uri: &Uri) {
        self.cache().forget(&name(uri));
    }

    /// Addresses that need no lookup: set, remembered, or named by the host itself.
    fn known(&self, name: &str, at: Moment) -> Option<Vec<SocketAddr>> {
        match (self.resolved.get(name), literal(name)) {
            (Some(addresses), _) => Some(with_port_zero(addresses.iter().copied())),
            (None, Some(address)) => Some(with_port_zero([address])),
            (None, None) => self.cache().get(name, at).map(<[_]>::to_vec),
        }
    }

    fn check(&self, host: &str, found: &[SocketAddr]) -> Result<(), Rule> {
        let addresses: Vec<_> = found.iter().map(SocketAddr::ip).collect();
        self.reach.check_addresses(host, &addresses)
    }

    /// Asks the resolver, in another thread, because a lookup cannot be interrupted. If it takes longer
    /// than `deadline`, that thread runs until the lookup ends.
    fn look_up(&self, host: String, deadline: Deadline) -> Result<Vec<SocketAddr>, Error> {
        let (left, lookup) = (deadline.left()?, self.lookup.clone());
        match self.workers.within(left, move || lookup.ask(&host)) {
            Ok(found) => Ok(found?),
            Err(NoResult::NoThread(error)) => Err(error.into()),
            Err(NoResult::TimedOut) => Err(deadline.passed()),
            Err(NoResult::Panicked) => {
                Err(io::Error::other("the lookup of the host ended without a result").into())
            }
        }
    }

    /// Ignores poisoning: no code panics while the lock is held, so the cache is consistent.
    fn cache(&self) -> MutexGuard<'_, AddressCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lookup {
    pub(crate) fn new(
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(lookup)))
    }

    fn ask(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        match &self.0 {
            Some(lookup) => lookup(host).map(with_port_zero),
            None => (host, 0).to_socket_addrs().map(Vec::from_iter),
        }
    }
}

impl Resolver for Deferred {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("is_set", &self.0.is_some()).finish()
    }
}

/// The host of `uri` in lower case.
fn name(uri: &Uri) -> String {
    uri.host().unwrap_or_default().to_ascii_lowercase()
}

/// The address that `host` is, if it is one.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

fn with_port_zero(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<SocketAddr> {
    addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect()
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or_else(|| match uri.scheme_str() {
        Some("http") => 80,
        _ => 443,
    })
}

type Function = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;
