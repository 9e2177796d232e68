//! [`AddressCache`]: addresses of hosts, which a driver remembers for a short time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::time::Moment;

/// Addresses that hosts were resolved to, so that not every new connection costs a lookup.
///
/// A driver has one cache for each [`Reach`](crate::Reach), and checks addresses before it puts them
/// into the cache. It looks up a host that has no entry, and forgets an entry to whose addresses it
/// can't connect. A failed lookup is not remembered. The ports of the addresses mean nothing.
#[derive(Debug)]
pub struct AddressCache {
    lifetime: Duration,
    hosts: BTreeMap<String, (Vec<SocketAddr>, Moment)>,
}

impl AddressCache {
    /// Usual lifetime of an entry.
    pub const LIFETIME: Duration = Duration::from_secs(30);

    /// Creates an empty cache, whose entries end `lifetime` after their lookup. If it is zero, nothing is
    /// remembered.
    pub const fn new(lifetime: Duration) -> Self {
        Self { lifetime, hosts: BTreeMap::new() }
    }

    /// Returns the addresses of `host`, which is compared byte by byte; `None` if it has no entry at `at`.
    pub fn get(&self, host: &str, at: Moment) -> Option<&[SocketAddr]> {
        let (addresses, since) = self.hosts.get(host)?;
        (at.since(*since) < self.lifetime).then_some(addresses)
    }

    /// Remembers `addresses` of `host`, whose lookup began at `at`.
    ///
    /// If there is no room, the oldest entry is dropped. No entry is made of more than 64 addresses.
    pub fn put(&mut self, host: &str, addresses: &[SocketAddr], at: Moment) {
        self.hosts.remove(host);
        if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
            return;
        }
        if self.hosts.len() >= MAX_HOSTS {
            let oldest = self.hosts.iter().max_by_key(|(_, (_, since))| at.since(*since));
            if let Some(oldest) = oldest.map(|(host, _)| host.clone()) {
                self.hosts.remove(&oldest);
            }
        }
        self.hosts.insert(host.to_owned(), (addresses.to_vec(), at));
    }

    /// Removes the entry of `host`.
    pub fn forget(&mut self, host: &str) {
        self.hosts.remove(host);
    }
}

/// Largest number of hosts, so that hosts named by users can't fill the memory.
const MAX_HOSTS: usize = 256;

/// Largest number of addresses of one entry.
const MAX_ADDRESSES: usize = 64;
