//! Addresses of the nameservers for TXT lookups.

use std::net::SocketAddr;

#[derive(Clone, Debug)]
pub(crate) enum Nameservers {
    /// The system's nameservers. They are read for each lookup, because they change with the
    /// network.
    System,
    /// The nameserver of [`DriverBuilder::nameserver`](crate::DriverBuilder::nameserver).
    Fixed(SocketAddr),
}

impl Nameservers {
    /// The nameservers in the order of use; `None` if the system's nameservers cannot be read.
    pub(crate) fn list(&self) -> Option<Vec<SocketAddr>> {
        match self {
            Self::System => of_system(),
            Self::Fixed(address) => Some(vec![*address]),
        }
    }
}

/// Reads the `nameserver` lines of `/etc/resolv.conf`; see resolv.conf(5).
#[cfg(unix)]
fn of_system() -> Option<Vec<SocketAddr>> {
    let text = std::fs::read("/etc/resolv.conf").ok()?;
    let (config, _) = resolv_conf::Config::parse_with_errors(&text);
    let servers = config.get_nameservers_or_local();
    Some(servers.iter().filter_map(address).take(MAX_SERVERS).collect())
}

#[cfg(not(unix))]
fn of_system() -> Option<Vec<SocketAddr>> {
    None
}

/// Returns `None` for a link-local nameserver whose interface is given by name, because std cannot
/// turn the name into an index.
#[cfg(unix)]
fn address(server: &resolv_conf::ScopedIp) -> Option<SocketAddr> {
    use std::net::SocketAddrV6;

    use resolv_conf::ScopedIp;

    Some(match server {
        ScopedIp::V4(ip) => SocketAddr::from((*ip, PORT)),
        ScopedIp::V6(ip, None) => SocketAddr::from((*ip, PORT)),
        ScopedIp::V6(ip, Some(scope)) => {
            SocketAddrV6::new(*ip, PORT, 0, scope.parse().ok()?).into()
        }
    })
}

#[cfg(unix)]
const PORT: u16 = 53;

/// `MAXNS` of the C library: it uses the first three nameservers.
#[cfg(unix)]
const MAX_SERVERS: usize = 3;
