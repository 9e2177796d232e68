//! Ports of this machine, and who answers at each of them.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use crate::names::Names;
use crate::serve::http_host::Host;

/// Sockets for a whole network, in the order of fixed ports.
pub(super) struct Ports {
    pub(super) hosts: Vec<Listening>,
    pub(super) nameserver: DnsSockets,
}

/// Who answers, and where.
pub(super) struct Listening {
    pub(super) host: Host,
    pub(super) listeners: Listeners,
}

/// One port, on 127.0.0.1, and on ::1 where there is one: `localhost` may be either.
pub(super) struct Listeners {
    port: u16,
    pub(super) sockets: Vec<TcpListener>,
}

/// One port of 127.0.0.1, for both ways of asking.
pub(super) struct DnsSockets {
    pub(super) address: SocketAddr,
    pub(super) udp: UdpSocket,
    pub(super) tcp: TcpListener,
}

/// The hosts of the standard network but for the nameserver.
const HOSTS: u16 = 8;

/// How often another port is tried that the system chooses, where it is not free for both sockets.
const TRIES: usize = 50;

impl Ports {
    /// Nine ports from `first` on, or those that the system chooses if it is 0.
    pub(super) fn bind(first: u16) -> io::Result<Self> {
        let too_high = || io::Error::new(ErrorKind::InvalidInput, "the ports end at 65535");
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

    /// What a network with these ports is called.
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

    /// Where the hosts of handles are.
    pub(super) fn handles(&self) -> SocketAddr {
        let port = self.hosts.last().map(|host| host.listeners.port);
        SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or_default()))
    }
}

impl Listeners {
    fn bind(port: u16) -> io::Result<Self> {
        again_if_taken(port, || {
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            let port = first.local_addr()?.port();
            let mut sockets = vec![first];
            match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
                Ok(second) => sockets.push(second),
                // Somebody else would get the requests to `localhost` there.
                Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(error),
                // This machine has no ::1.
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
        again_if_taken(port, || {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
            let address = udp.local_addr()?;
            let tcp = TcpListener::bind(address)?;
            udp.set_nonblocking(true)?;
            tcp.set_nonblocking(true)?;
            Ok(Self { address, udp, tcp })
        })
    }
}

/// A port that the system chooses for one socket may be taken for the other.
fn again_if_taken<T>(port: u16, bind: impl Fn() -> io::Result<T>) -> io::Result<T> {
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
