//! Addresses of hosts, checked before anything is sent.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use atproto_sansio::{Reach, Rule};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// reqwest connects to what this returns, and looks nothing up by itself.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    reach: Reach,
    /// Addresses to connect to instead of those that a host resolves to; none if `reach` is
    /// `Public`.
    overrides: Arc<BTreeMap<String, SocketAddr>>,
}

/// A rule that an address breaks, on its way through reqwest.
#[derive(Debug)]
pub(crate) struct Forbidden(pub(crate) Rule);

impl Addresses {
    pub(crate) fn new(reach: Reach, overrides: &Arc<BTreeMap<String, SocketAddr>>) -> Self {
        let overrides = match reach {
            Reach::Public => Arc::default(),
            Reach::Configured | Reach::Development => Arc::clone(overrides),
        };
        Self { reach, overrides }
    }

    pub(crate) fn is_overridden(&self, host: &str) -> bool {
        self.overrides.contains_key(host)
    }

    /// Checks a host that is an address. reqwest connects to it without asking for it here.
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
        // reqwest puts the port of the URL in place of 0.
        let found: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
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
            Ok(Box::new(found.into_iter()) as Addrs)
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
