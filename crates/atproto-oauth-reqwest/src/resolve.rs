//! Resolves hosts, and checks every resolved address before a connection is made.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use atproto_sansio::{Reach, Rule};
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
}

/// The rule that a resolved address breaks, wrapped as an error that reqwest passes on.
#[derive(Debug)]
pub(crate) struct Forbidden(pub(crate) Rule);

impl Addresses {
    pub(crate) fn new(reach: Reach, settings: &DriverBuilder) -> Self {
        let overrides = match reach {
            Reach::Public => Arc::default(),
            Reach::Configured | Reach::Development => Arc::clone(&settings.overrides),
        };
        Self { reach, overrides, resolved: Arc::clone(&settings.resolved) }
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

    async fn look_up(&self, host: &str) -> Result<Vec<SocketAddr>, Failure> {
        if let Some(&address) = self.overrides.get(host) {
            return Ok(vec![address]);
        }
        // reqwest replaces port 0 by the port of the URL.
        let found: Vec<_> = match self.resolved.get(host) {
            Some(addresses) => addresses.iter().map(|ip| SocketAddr::new(*ip, 0)).collect(),
            None => tokio::net::lookup_host((host, 0)).await?.collect(),
        };
        if found.is_empty() {
            return Err("the host has no address".into());
        }
        self.check(host, &found)?;
        Ok(found)
    }

    fn check(&self, host: &str, found: &[SocketAddr]) -> Result<(), Forbidden> {
        let addresses: Vec<_> = found.iter().map(SocketAddr::ip).collect();
        self.reach.check_addresses(host, &addresses).map_err(Forbidden)
    }
}

impl Resolve for Addresses {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let found = this.look_up(name.as_str()).await?;
            let turns = match found.len() {
                1 => 1,
                count => count.saturating_mul(connect::rounds()),
            };
            Ok(Box::new(found.into_iter().cycle().take(turns)) as Addrs)
        })
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Forbidden {}

type Failure = Box<dyn std::error::Error + Send + Sync>;
