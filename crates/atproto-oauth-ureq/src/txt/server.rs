//! One nameserver: its query, its UDP socket, and the retry over TCP.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};

use atproto_sansio::dns::{Answer, Question};
use atproto_sansio::{Phase, TransportError};

use super::Deadline;

/// A nameserver and the query for it. The socket stays open between two attempts, so that a late
/// answer to the first attempt is not lost.
pub(super) struct Server {
    address: SocketAddr,
    socket: UdpSocket,
    question: Question,
    message: Vec<u8>,
}

impl Server {
    pub(super) fn new(address: SocketAddr, question: Question) -> Result<Self, TransportError> {
        let message = question.encode()?;
        let socket = connect(address).map_err(|error| failed(Phase::NotSent, &error))?;
        Ok(Self { address, socket, question, message })
    }

    /// Sends the query once, and waits for an answer until `over_udp`, or until `over_tcp` if the
    /// server wants the query over TCP; `None` if none arrived.
    pub(super) fn ask(
        &mut self,
        over_udp: Deadline,
        over_tcp: Deadline,
    ) -> Result<Option<Vec<String>>, TransportError> {
        let outcome = match self.ask_over_udp(over_udp) {
            Ok(Answer::Truncated) => self.ask_over_tcp(over_tcp),
            outcome => outcome,
        };
        match outcome {
            Ok(Answer::Records(records)) => Ok(Some(records)),
            Ok(Answer::Failed(error)) => Err(error),
            Ok(Answer::Foreign | Answer::Truncated) => Err(TransportError::new(
                Phase::Truncated,
                "the nameserver's answer over TCP is truncated or does not match the query",
            )),
            Err(error) if is_timeout(&error) => Ok(None),
            Err(error) => Err(failed(Phase::MaybeSent, &error)),
        }
    }

    fn ask_over_udp(&self, deadline: Deadline) -> io::Result<Answer> {
        self.socket.send(&self.message)?;
        // An answer to a query without EDNS has at most 512 bytes (RFC 1035 section 4.2.1).
        let mut buffer = [0; 4096];
        loop {
            let left = deadline.left().ok_or(ErrorKind::TimedOut)?;
            self.socket.set_read_timeout(Some(left))?;
            let size = match self.socket.recv(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                received => received?,
            };
            match self.question.read(buffer.get(..size).unwrap_or_default()) {
                Answer::Foreign => {}
                answer => return Ok(answer),
            }
        }
    }

    /// Sends the same message over TCP, after its length in two bytes (RFC 7766 section 8).
    fn ask_over_tcp(&self, deadline: Deadline) -> io::Result<Answer> {
        let left = || deadline.left().ok_or(ErrorKind::TimedOut);
        let mut stream = TcpStream::connect_timeout(&self.address, left()?)?;
        stream.set_write_timeout(Some(left()?))?;
        let length = u16::try_from(self.message.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], &self.message].concat())?;
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
        Ok(self.question.read(&read(length)?))
    }
}

/// Returns a connected socket, so that only datagrams of `address` are received. The system chooses
/// an unpredictable source port.
fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    Ok(socket)
}

/// Whether a read timed out. The platform decides which of the two kinds it reports.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

fn failed(phase: Phase, error: &io::Error) -> TransportError {
    TransportError::new(phase, format!("nameserver: {error}"))
}
