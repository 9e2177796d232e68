//! DNS TXT lookups over std's sockets.
//!
//! [`Lookup`] decides which nameserver is asked, how long, and whether an answer counts, so that both
//! adapters do the same.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use atproto_sansio::dns::{Exchange, Lookup, Step, Transport};
use atproto_sansio::{SystemEntropy, TransportError};

/// Asks `servers` for the TXT records of `name`, which is taken as an absolute name.
pub(crate) fn look_up(
    name: &str,
    timeout: Duration,
    servers: &[SocketAddr],
) -> Result<Vec<String>, TransportError> {
    let deadline = Deadline::after(timeout);
    let mut lookup = Lookup::new(name, servers, &mut SystemEntropy)?;
    let mut sockets = BTreeMap::new();
    loop {
        let exchange = match lookup.step(deadline.left().unwrap_or_default()) {
            Step::Ask(exchange) => exchange,
            Step::Done(result) => return result,
        };
        let outcome = match exchange.transport {
            Transport::Tcp => ask_over_tcp(&exchange, &mut lookup),
            Transport::Udp => match socket_for(exchange.server, &mut sockets) {
                Ok(socket) => ask_over_udp(socket, &exchange, &mut lookup),
                Err(error) => {
                    lookup.skip(&error);
                    continue;
                }
            },
        };
        match outcome {
            Ok(()) => {}
            Err(error) if is_timeout(&error) => lookup.time_out(),
            Err(error) => lookup.fail(&error),
        }
    }
}

/// Returns a connected socket, so that only datagrams of `server` are received. The system chooses an
/// unpredictable source port.
fn socket_for(
    server: SocketAddr,
    sockets: &mut BTreeMap<SocketAddr, UdpSocket>,
) -> io::Result<&UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    match sockets.entry(server) {
        Entry::Occupied(socket) => Ok(socket.into_mut()),
        Entry::Vacant(place) => {
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(server)?;
            Ok(place.insert(socket))
        }
    }
}

fn ask_over_udp(socket: &UdpSocket, exchange: &Exchange, lookup: &mut Lookup) -> io::Result<()> {
    let deadline = Deadline::after(exchange.time);
    socket.send(&exchange.bytes)?;
    // An answer to a query without EDNS has at most 512 bytes (RFC 1035 section 4.2.1).
    let mut buffer = [0; 4096];
    loop {
        let left = deadline.left().ok_or(ErrorKind::TimedOut)?;
        socket.set_read_timeout(Some(left))?;
        let size = match socket.recv(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            received => received?,
        };
        if lookup.read(buffer.get(..size).unwrap_or_default()) {
            return Ok(());
        }
    }
}

fn ask_over_tcp(exchange: &Exchange, lookup: &mut Lookup) -> io::Result<()> {
    let deadline = Deadline::after(exchange.time);
    let left = || deadline.left().ok_or(ErrorKind::TimedOut);
    let mut stream = TcpStream::connect_timeout(&exchange.server, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(&exchange.bytes)?;
    let mut read = |size: usize| {
        let mut bytes = vec![0; size];
        let mut rest = bytes.as_mut_slice();
        while !rest.is_empty() {
            stream.set_read_timeout(Some(left()?))?;
            match stream.read(rest) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => rest = rest.split_at_mut(got).1,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    };
    let length = read(2)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    lookup.read(&read(length)?);
    Ok(())
}

/// Whether a read timed out. The platform decides which of the two kinds it reports.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn after(time: Duration) -> Self {
        Self(Instant::now() + time.min(LONGEST))
    }

    /// The time until the deadline; `None` if it has passed.
    fn left(self) -> Option<Duration> {
        Some(self.0.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }
}

/// Longest timeout, so that `Instant::now() + timeout` does not overflow.
const LONGEST: Duration = Duration::from_secs(60 * 60);
