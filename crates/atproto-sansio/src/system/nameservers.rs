//! Addresses of the nameservers of this machine. Features `std` and `dns`.

use std::net::SocketAddr;

use crate::error::{Phase, TransportError};

/// Returns the nameservers for TXT lookups in the order of use: the `configured` one alone, or those
/// of the system. They are read for each lookup, because they change with the network.
///
/// # Errors
///
/// [`Phase::Unsupported`] if the nameservers of the system cannot be read.
pub fn nameservers(configured: Option<SocketAddr>) -> Result<Vec<SocketAddr>, TransportError> {
    match configured {
        Some(address) => Ok(vec![address]),
        None => of_system().ok_or_else(|| {
            let reason = "the nameservers of this system cannot be read: set one with \
                          `DriverBuilder::nameserver`";
            TransportError::new(Phase::Unsupported, reason)
        }),
    }
}

#[cfg(unix)]
fn of_system() -> Option<Vec<SocketAddr>> {
    let text = std::fs::read("/etc/resolv.conf").ok()?;
    Some(crate::dns::of_resolv_conf(&text))
}

/// The nameservers of the network adapters that are up.
#[cfg(windows)]
fn of_system() -> Option<Vec<SocketAddr>> {
    use std::net::IpAddr;

    use ipconfig::OperStatus;

    use crate::driver::dns::PORT;

    // Windows names these site-local addresses if an adapter has no nameserver for IPv6.
    let is_placeholder = |ip: &IpAddr| match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.segments().starts_with(&[0xfec0, 0, 0, 0xffff]),
    };
    let adapters = ipconfig::get_adapters().ok()?;
    let up = adapters.iter().filter(|adapter| adapter.oper_status() == OperStatus::IfOperStatusUp);
    let servers = up.flat_map(|adapter| adapter.dns_servers()).filter(|ip| !is_placeholder(ip));
    Some(servers.map(|ip| SocketAddr::new(*ip, PORT)).collect())
}

#[cfg(not(any(unix, windows)))]
fn of_system() -> Option<Vec<SocketAddr>> {
    None
}
