//! Resolves hosts, and checks every resolved address before a connection is made.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use atproto_sansio::{Reach, Rule, TransportError};
use http::Uri;
use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::builder::DriverBuilder;
use crate::workers::{NoResult, Workers};

/// ureq's resolver: ureq connects to the addresses that it returns, and has no other resolver.
#[derive(Debug)]
pub(crate) struct Addresses {
    reach: Reach,
    /// Addresses from [`DriverBuilder::host_override`](crate::DriverBuilder::host_override), by
    /// host in lower case; empty if `reach` is `Public`.
    overrides: Arc<BTreeMap<String, SocketAddr>>,
    /// Addresses from [`DriverBuilder::resolve`](crate::DriverBuilder::resolve), by host in lower
    /// case.
    resolved: Arc<BTreeMap<String, Vec<IpAddr>>>,
    workers: Workers,
}

impl Addresses {
    pub(crate) fn new(reach: Reach, settings: &DriverBuilder, workers: Workers) -> Self {
        let overrides = match reach {
            Reach::Public => Arc::default(),
            Reach::Configured | Reach::Development => Arc::clone(&settings.overrides),
        };
        Self { reach, overrides, resolved: Arc::clone(&settings.resolved), workers }
    }

    fn check(&self, host: &str, found: &[SocketAddr]) -> Result<(), Rule> {
        let addresses: Vec<_> = found.iter().map(SocketAddr::ip).collect();
        self.reach.check_addresses(host, &addresses)
    }

    /// Asks the system, in another thread, because its lookup cannot be interrupted. If it takes longer
    /// than `timeout`, that thread runs until the lookup ends.
    fn look_up(
        &self,
        host_and_port: String,
        timeout: NextTimeout,
    ) -> Result<Vec<SocketAddr>, Error> {
        let work = move || host_and_port.to_socket_addrs().map(Vec::from_iter);
        match self.workers.within(*timeout.after, work) {
            Ok(found) => Ok(found?),
            Err(NoResult::NoThread(error)) => Err(error.into()),
            Err(NoResult::TimedOut) => Err(Error::Timeout(timeout.reason)),
            Err(NoResult::Panicked) => {
                Err(io::Error::other("the lookup of the host ended without a result").into())
            }
        }
    }
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let name = host.to_ascii_lowercase();
        let found = match (self.overrides.get(&name), self.resolved.get(&name)) {
            (Some(&address), _) => vec![address],
            (None, Some(addresses)) => {
                addresses.iter().map(|address| SocketAddr::new(*address, port(uri))).collect()
            }
            (None, None) => self.look_up(format!("{host}:{}", port(uri)), timeout)?,
        };
        self.check(host, &found)
            .map_err(|rule| Error::Other(Box::new(TransportError::blocked(rule))))?;
        if found.is_empty() {
            return Err(Error::HostNotFound);
        }
        let mut addresses: ResolvedSocketAddrs = self.empty();
        for address in found.into_iter().take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or_else(|| match uri.scheme_str() {
        Some("http") => 80,
        _ => 443,
    })
}

/// Capacity of ureq's [`ResolvedSocketAddrs`]. All addresses are checked, and the first ones are
/// used.
const MAX_ADDRESSES: usize = 16;
const _: fn(ResolvedSocketAddrs) -> ArrayVec<SocketAddr, MAX_ADDRESSES> = |addresses| addresses;
