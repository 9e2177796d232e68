//! Addresses of the nameservers that a configuration file names.

use std::net::{SocketAddr, SocketAddrV6};

use resolv_conf::{Config, ScopedIp};

/// Reads the `nameserver` lines of an `/etc/resolv.conf`, in the order of use; see resolv.conf(5).
///
/// Lines that cannot be parsed are skipped. If there is no such line, the nameserver is on this
/// machine.
pub fn of_resolv_conf(text: &[u8]) -> Vec<SocketAddr> {
    let (config, _) = Config::parse_with_errors(text);
    let servers = config.get_nameservers_or_local();
    servers.iter().filter_map(address).take(MAX_SERVERS).collect()
}

/// Returns `None` for a link-local nameserver whose interface is given by name, because std cannot
/// turn the name into an index.
fn address(server: &ScopedIp) -> Option<SocketAddr> {
    Some(match server {
        ScopedIp::V4(ip) => SocketAddr::from((*ip, PORT)),
        ScopedIp::V6(ip, None) => SocketAddr::from((*ip, PORT)),
        ScopedIp::V6(ip, Some(scope)) => {
            SocketAddrV6::new(*ip, PORT, 0, scope.parse().ok()?).into()
        }
    })
}

/// The port of nameservers.
pub(crate) const PORT: u16 = 53;

/// `MAXNS` of the C library: it uses the first three nameservers.
const MAX_SERVERS: usize = 3;
