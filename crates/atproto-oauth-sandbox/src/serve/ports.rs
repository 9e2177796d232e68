//! The loopback ports of a served network, and the hosts served on each port.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use crate::names::Names;
use crate::serve::http_host::Host;

/// Bound sockets of a whole network, in the order of `ServedBuilder::first_port`.
pub(super) struct Ports {
    pub(super) hosts: Vec<Listening>,
    pub(super) nameserver: DnsSockets,
}

/// The hosts that a port serves, and the sockets of that port.
pub(super) struct Listening {
    pub(super) host: Host,
    pub(super) listeners: Listeners,
}

/// One TCP port on `127.0.0.1`, and on `::1` if the machine has that address, because `localhost`
/// may resolve to either.
pub(super) struct Listeners {
    port: u16,
    pub(super) sockets: Vec<TcpListener>,
}

/// One port on `127.0.0.1` for DNS questions over UDP and TCP.
pub(super) struct DnsSockets {
    pub(super) address: SocketAddr,
    pub(super) udp: UdpSocket,
    pub(super) tcp: TcpListener,
}

/// Number of HTTP ports of the standard network, which are all ports except the nameserver's.
const HOSTS: u16 = 8;

/// Maximum number of repeated attempts to get a port from the system that is free for both sockets.
const TRIES: usize = 50;

impl Ports {
    /// Binds nine consecutive ports, beginning with `first`. If `first` is 0, the system chooses
    /// each port.
    pub(super) fn bind(first: u16) -> io::Result<Self> {
        let too_high = || {
            io::Error::new(
                ErrorKind::InvalidInput,
                "first_port is above 65527: it needs nine ports",
            )
        };
        let port = |offset: u16| match first {
            0 => Ok(0),
            first => first.checked_add(offset).ok_or_else(too_high),
        };
        let mut hosts = Vec::new();
        for offset in 0..HOSTS {
            let listeners = Listeners::bind(port(offset)?)?;
            let origin = listeners.origin();
            let is_last = offset + 1 == HOSTS;
            let host = if is_last { Host::Handles(origin) } else { Host::Server(origin) };
            hosts.push(Listening { host, listeners });
        }
        Ok(Self { hosts, nameserver: DnsSockets::bind(port(HOSTS)?)? })
    }

    /// Returns the origins and the handle suffix of a network on these ports.
    pub(super) fn names(&self) -> Names {
        let origin = |at: usize| self.hosts.get(at).map(|host| host.listeners.origin());
        let origin = |at| origin(at).unwrap_or_default();
        Names {
            pds: origin(0),
            other_pds: origin(1),
            entryway: origin(2),
            entryway_pds: origin(3),
            other_entryway_pds: origin(4),
            plc: origin(5),
            doh: origin(6),
            did_web: format!("localhost%3A{}", self.handles().port()),
            handles: ".test".to_owned(),
        }
    }

    /// Address of the port that serves the hosts of handles.
    pub(super) fn handles(&self) -> SocketAddr {
        let port = self.hosts.last().map(|host| host.listeners.port);
        SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or_default()))
    }
}

impl Listeners {
    fn bind(port: u16) -> io::Result<Self> {
        retry_if_taken(port, || {
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            let port = first.local_addr()?.port();
            let mut sockets = vec![first];
            match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
                Ok(second) => sockets.push(second),
                // Another process has this port on `::1` and would get requests to `localhost`.
                Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(error),
                // This machine has no address `::1`.
                Err(_) => {}
            }
            sockets.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
            Ok(Self { port, sockets })
        })
    }

    fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }
}

impl DnsSockets {
    fn bind(port: u16) -> io::Result<Self> {
        retry_if_taken(port, || {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
            let address = udp.local_addr()?;
            let tcp = TcpListener::bind(address)?;
            udp.set_nonblocking(true)?;
            tcp.set_nonblocking(true)?;
            Ok(Self { address, udp, tcp })
        })
    }
}

/// Runs `bind`. If `port` is 0, repeats `bind` while it fails with `AddrInUse`, because the port
/// that the system chose for the first socket may be taken for the second. If `port` is not 0, an
/// error names the port.
fn retry_if_taken<T>(port: u16, bind: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let named = |error: io::Error| match port {
        0 => error,
        port => io::Error::new(error.kind(), format!("port {port}: {error}")),
    };
    for _ in 0..TRIES {
        match bind() {
            Err(error) if port == 0 && error.kind() == ErrorKind::AddrInUse => {}
            result => return result.map_err(named),
        }
    }
    bind().map_err(named)
}
