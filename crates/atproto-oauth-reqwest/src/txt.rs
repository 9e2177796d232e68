//! DNS TXT lookups over tokio's sockets.
//!
//! [`Lookup`] decides which nameserver is asked, how long, and whether an answer counts, so that both
//! adapters do the same.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use atproto_sansio::dns::{Exchange, Lookup, Step, Transport, nameservers};
use atproto_sansio::{SystemEntropy, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::Instant;

/// Asks `nameserver`, or the system's nameservers, for the TXT records of `name`, which is taken as an
/// absolute name.
pub(crate) async fn look_up(
    name: &str,
    timeout: Duration,
    nameserver: Option<SocketAddr>,
) -> Result<Vec<String>, TransportError> {
    let deadline = Instant::now() + timeout.min(LONGEST);
    let mut lookup = Lookup::new(name, &nameservers(nameserver)?, &mut SystemEntropy)?;
    let mut sockets = BTreeMap::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let exchange = match lookup.step(left) {
            Step::Ask(exchange) => exchange,
            Step::Done(result) => return result,
        };
        let asked = match exchange.transport {
            Transport::Tcp => {
                tokio::time::timeout(exchange.time, ask_over_tcp(&exchange, &mut lookup)).await
            }
            Transport::Udp => match socket_for(exchange.server, &mut sockets).await {
                Ok(socket) => {
                    let asked = ask_over_udp(socket, &exchange, &mut lookup);
                    tokio::time::timeout(exchange.time, asked).await
                }
                Err(error) => {
                    lookup.skip(&error);
                    continue;
                }
            },
        };
        match asked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => lookup.fail(&error),
            Err(_) => lookup.time_out(),
        }
    }
}

/// Returns a connected socket, so that only datagrams of `server` are received. The system chooses an
/// unpredictable source port.
async fn socket_for(
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
            let socket = UdpSocket::bind((any, 0)).await?;
            socket.connect(server).await?;
            Ok(place.insert(socket))
        }
    }
}

async fn ask_over_udp(
    socket: &UdpSocket,
    exchange: &Exchange,
    lookup: &mut Lookup,
) -> io::Result<()> {
    socket.send(&exchange.bytes).await?;
    // An answer to a query without EDNS has at most 512 bytes (RFC 1035 section 4.2.1). The buffer is on
    // the heap, because it would be a part of the future of each run.
    let mut buffer = vec![0; 4096];
    loop {
        let size = socket.recv(&mut buffer).await?;
        if lookup.read(buffer.get(..size).unwrap_or_default()) {
            return Ok(());
        }
    }
}

async fn ask_over_tcp(exchange: &Exchange, lookup: &mut Lookup) -> io::Result<()> {
    let mut stream = TcpStream::connect(exchange.server).await?;
    stream.write_all(&exchange.bytes).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    lookup.read(&answer);
    Ok(())
}

/// Longest timeout, so that `Instant::now() + timeout` does not overflow.
const LONGEST: Duration = Duration::from_secs(60 * 60);
