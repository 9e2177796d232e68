//! Resolves hosts, and checks every resolved address before a connection is made.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use atproto_sansio::{AddressCache, Moment, Reach, Rule, System};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::builder::DriverBuilder;
use crate::connect;

/// reqwest's resolver: reqwest connects to the addresses that it returns, and has no other
/// resolver.
#[derive(Clone, Debug)]
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
    cache: Arc<Mutex<AddressCache>>,
}

/// The resolver of a driver: the one of the system, or a function.
#[derive(Clone, Default)]
pub(crate) struct Lookup(Option<Arc<Function>>);

/// The rule that a resolved address breaks, wrapped as an error that reqwest passes on.
#[derive(Debug)]
pub(crate) struct Forbidden(pub(crate) Rule);

impl Addresses {
    pub(crate) fn new(reach: Reach, settings: &DriverBuilder) -> Self {
        let overrides = match reach {
            Reach::Public => Arc::default(),
            Reach::Configured | Reach::Development => Arc::clone(&settings.overrides),
        };
        Self {
            reach,
            overrides,
            resolved: Arc::clone(&settings.resolved),
            lookup: settings.lookup.clone(),
            cache: Arc::new(Mutex::new(AddressCache::new(settings.addresses_for))),
        }
    }

    pub(crate) fn is_overridden(&self, host: &str) -> bool {
        self.overrides.contains_key(host)
    }

    /// Checks a host that is an IP address, because reqwest connects to it without calling
    /// [`Resolve::resolve`].
    pub(crate) fn check_literal(&self, host: &str) -> Result<(), Forbidden> {
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => self.check(host, &[SocketAddr::new(address, 0)]),
            Err(_) => Ok(()),
        }
    }

    /// Forgets the addresses of `host`, because none of them could be connected to.
    pub(crate) fn forget(&self, host: &str) {
        self.cache().forget(&host.to_ascii_lowercase());
    }

    /// Returns addresses of `host`, all of them checked. reqwest replaces port 0 by the port of the URL.
    async fn find(&self, host: &str) -> Result<Vec<SocketAddr>, Failure> {
        if let Some(&address) = self.overrides.get(host) {
            return Ok(vec![address]);
        }
        let at = System::moment();
        let known = self.known(host, at);
        let is_new = known.is_none();
        let found = match known {
            Some(known) => known,
            None => self.lookup.ask(host.to_owned()).await?,
        };
        // Remembered addresses are checked again, because a check costs less than a doubt.
        self.check(host, &found)?;
        if found.is_empty() {
            return Err("the host has no address".into());
        }
        if is_new {
            self.cache().put(host, &found, at);
        }
        Ok(found)
    }

    /// Addresses that need no lookup: set, or remembered.
    fn known(&self, host: &str, at: Moment) -> Option<Vec<SocketAddr>> {
        match self.resolved.get(host) {
            Some(addresses) => Some(with_port_zero(addresses.iter().copied())),
            None => self.cache().get(host, at).map(<[_]>::to_vec),
        }
    }

    fn check(&self, host: &str, found: &[SocketAddr]) -> Result<(), Forbidden> {
        let addresses: Vec<_> = found.iter().map(SocketAddr::ip).collect();
        self.reach.check_addresses(host, &addresses).map_err(Forbidden)
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

    async fn ask(&self, host: String) -> io::Result<Vec<SocketAddr>> {
        match self.0.clone() {
            Some(lookup) => {
                let found = tokio::task::spawn_blocking(move || lookup(&host)).await;
                Ok(with_port_zero(found.map_err(io::Error::other)??))
            }
            None => Ok(tokio::net::lookup_host((host.as_str(), 0)).await?.collect()),
        }
    }
}

impl Resolve for Addresses {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let found = this.find(name.as_str()).await?;
            let turns = match found.len() {
                1 => 1,
                count => count.saturating_mul(connect::rounds()),
            };
            Ok(Box::new(found.into_iter().cycle().take(turns)) as Addrs)
        })
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("is_set", &self.0.is_some()).finish()
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Forbidden {}

fn with_port_zero(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<SocketAddr> {
    addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect()
}

type Function = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;
type Failure = Box<dyn std::error::Error + Send + Sync>;
