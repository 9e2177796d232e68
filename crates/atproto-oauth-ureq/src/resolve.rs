//! Addresses of hosts, checked before anything is sent.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use atproto_sansio::{Reach, Rule};
use http::Uri;
use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// ureq connects to what this returns, and looks nothing up by itself.
#[derive(Debug)]
pub(crate) struct Addresses {
    reach: Reach,
    /// Addresses to connect to instead of those that a host resolves to; none if `reach` is
    /// `Public`.
    overrides: Arc<BTreeMap<String, SocketAddr>>,
}

/// A rule that an address breaks, on its way through ureq.
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

    fn check(&self, host: &str, found: &[SocketAddr]) -> Result<(), Forbidden> {
        let addresses: Vec<_> = found.iter().map(SocketAddr::ip).collect();
        self.reach.check_addresses(host, &addresses).map_err(Forbidden)
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
        let found = match self.overrides.get(&host.to_ascii_lowercase()) {
            Some(&address) => vec![address],
            None => look_up(format!("{host}:{}", port(uri)), timeout)?,
        };
        self.check(host, &found).map_err(|forbidden| Error::Other(Box::new(forbidden)))?;
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

/// The system's look-up knows no time-out, so it is left behind in its thread if it takes too long.
fn look_up(host_and_port: String, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let work = move || sender.send(host_and_port.to_socket_addrs().map(Vec::from_iter));
    thread::Builder::new().name("name look-up".to_owned()).spawn(work)?;
    match receiver.recv_timeout(*timeout.after) {
        Ok(found) => Ok(found?),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Error::Timeout(timeout.reason)),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(io::Error::other("the look-up of the name broke off").into())
        }
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Forbidden {}

/// All addresses are checked, and ureq has room for this many of them.
const MAX_ADDRESSES: usize = 16;
const _: fn(ResolvedSocketAddrs) -> ArrayVec<SocketAddr, MAX_ADDRESSES> = |addresses| addresses;
