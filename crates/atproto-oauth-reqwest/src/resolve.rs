//! Addresses of hosts, checked before anything is sent.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use atproto_sansio::{Rule, is_public};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// reqwest connects to what this returns, and looks nothing up by itself.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    public_only: bool,
    overrides: Arc<BTreeMap<String, SocketAddr>>,
}

/// A rule that an address breaks, on its way through reqwest.
#[derive(Debug)]
pub(crate) struct Forbidden(pub(crate) Rule);

impl Addresses {
    pub(crate) fn public() -> Self {
        Self { public_only: true, overrides: Arc::default() }
    }

    pub(crate) fn any(overrides: Arc<BTreeMap<String, SocketAddr>>) -> Self {
        Self { public_only: false, overrides }
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

    /// One address that is not public condemns the name: a stranger chose it.
    fn check(&self, host: &str, found: &[SocketAddr]) -> Result<(), Forbidden> {
        match found.iter().find(|address| !is_public(address.ip())) {
            Some(address) if self.public_only => Err(Forbidden(Rule {
                host: host.to_owned(),
                address: Some(address.ip()),
                reason: "the host has an address that is not public",
            })),
            _ => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_condemns_the_name() {
        // Rule J-06
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let mixed =
            [address("1.1.1.1:443"), address("[2606:4700::1]:443"), address("10.0.0.1:443")];
        let Forbidden(rule) = Addresses::public().check("a.example", &mixed).unwrap_err();
        assert_eq!((rule.host.as_str(), rule.address), ("a.example", Some(mixed[2].ip())));
        Addresses::public().check("a.example", &mixed[..2]).unwrap();
        Addresses::any(Arc::default()).check("a.example", &mixed).unwrap();
    }
}
