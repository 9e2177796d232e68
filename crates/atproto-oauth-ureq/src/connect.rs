//! Establishes connections: resolves the host, TCP to one of the checked addresses, and TLS above it.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Connector, LazyBuffers};

use crate::resolve::Addresses;
use crate::socket::{Deadline, Socket, is_timeout};

/// ureq's connector. It knows no proxy, and has one TLS configuration for all calls.
#[derive(Debug)]
pub(crate) struct Connect {
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) addresses: Addresses,
}

impl Connector for Connect {
    type Out = Socket;

    /// Tries the addresses in their order. An address that does not answer leaves time for the others.
    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Socket>, Error> {
        let deadline = Deadline::of(details.timeout);
        let name = match details.needs_tls() {
            true => Some(server_name(details)?),
            false => None,
        };
        let addresses = self.addresses.find(details.uri, deadline)?;
        let deadline = deadline.within(CONNECT);
        let mut last = deadline.passed();
        for (count, &address) in (1..=addresses.len()).rev().zip(&addresses) {
            let Ok(left) = deadline.left() else { break };
            let turn = deadline.within(share(left, count));
            match self.open(address, name.clone(), turn) {
                Ok((stream, tls)) => {
                    let config = details.config;
                    let buffers =
                        LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
                    return Ok(Some(Socket::new(stream, tls, buffers)));
                }
                Err(error) => last = error,
            }
        }
        // Perhaps the host has other addresses now.
        self.addresses.forget(details.uri);
        Err(last)
    }
}

impl Connect {
    fn open(
        &self,
        address: SocketAddr,
        name: Option<ServerName<'static>>,
        deadline: Deadline,
    ) -> Result<(TcpStream, Option<ClientConnection>), Error> {
        let left = deadline.left()?;
        let stream = match TcpStream::connect_timeout(&address, left) {
            Err(error) if is_timeout(&error) => {
                let reason = "an address of the host does not answer";
                return Err(io::Error::new(ErrorKind::TimedOut, reason).into());
            }
            stream => stream?,
        };
        stream.set_nodelay(true)?;
        let tls = match name {
            Some(name) => {
                let tls = ClientConnection::new(Arc::clone(&self.tls), name);
                Some(handshake(tls.map_err(Error::Rustls)?, &stream, deadline)?)
            }
            None => None,
        };
        Ok((stream, tls))
    }
}

/// The time for one of `count` addresses that are left to try, in `left`.
fn share(left: Duration, count: usize) -> Duration {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    left.checked_div(count).unwrap_or(left)
}

fn server_name(details: &ConnectionDetails<'_>) -> Result<ServerName<'static>, Error> {
    let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    ServerName::try_from(host).map_err(|_| Error::Tls("the host is no name of a TLS server"))
}

fn handshake(
    mut tls: ClientConnection,
    stream: &TcpStream,
    deadline: Deadline,
) -> Result<ClientConnection, Error> {
    while tls.is_handshaking() || tls.wants_write() {
        let left = Some(deadline.left()?);
        let outcome = match tls.wants_write() {
            true => {
                stream.set_write_timeout(left)?;
                tls.write_tls(&mut &*stream)
            }
            false => {
                stream.set_read_timeout(left)?;
                tls.read_tls(&mut &*stream)
            }
        };
        match outcome {
            Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted || is_timeout(&error) => continue,
            Err(error) => return Err(error.into()),
        }
        if let Err(error) = tls.process_new_packets() {
            // The server is told why, if it still listens.
            let _ = tls.write_tls(&mut &*stream);
            return Err(Error::Rustls(error));
        }
    }
    Ok(tls)
}

/// Time to connect, which the addresses of a host share: a first address that does not answer leaves
/// time for the next one.
const CONNECT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leaves_time_for_the_others() {
        let seconds = Duration::from_secs;
        assert_eq!(share(seconds(5), 1), seconds(5));
        assert_eq!(share(seconds(3), 3), seconds(1));
    }
}
