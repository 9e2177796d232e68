//! Which DNS servers to ask.

use std::net::SocketAddr;

#[derive(Clone, Debug)]
pub(crate) enum Nameservers {
    /// Those of the system, read anew each time, since they change with the network.
    System,
    Fixed(SocketAddr),
}

impl Nameservers {
    /// The servers in the order of use, if they are known.
    pub(crate) fn list(&self) -> Option<Vec<SocketAddr>> {
        match self {
            Self::System => of_system(),
            Self::Fixed(address) => Some(vec![*address]),
        }
    }
}

/// resolv.conf(5)
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

/// A link-local server is skipped if its interface is given by name: std can't look that up.
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

/// As many as the C library asks.
#[cfg(unix)]
const MAX_SERVERS: usize = 3;
