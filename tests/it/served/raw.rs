//! A client that knows nothing: bytes to a socket, and what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long it waits for what is to come.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// How long it waits where nothing is to come.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// How a conversation ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Closed,
    Silent,
}

pub(crate) fn address(origin: &str) -> SocketAddr {
    origin.replace("http://localhost", "127.0.0.1").parse().unwrap()
}

/// A connection on which these bytes were sent.
pub(crate) fn sent(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream
}

/// Everything that comes for these bytes.
pub(crate) fn send(address: SocketAddr, bytes: &str) -> (String, End) {
    read(&mut sent(address, bytes), LONG)
}

/// A connection on which a GET was sent.
pub(crate) fn asked(origin: &str, path: &str) -> TcpStream {
    sent(address(origin), &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
}

/// One GET, after which the server is to close.
pub(crate) fn get(origin: &str, path: &str) -> (String, End) {
    let address = address(origin);
    send(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"))
}

pub(crate) fn read(stream: &mut TcpStream, patience: Duration) -> (String, End) {
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut bytes = Vec::new();
    let end = match stream.read_to_end(&mut bytes) {
        Ok(_) => End::Closed,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => End::Closed,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            End::Silent
        }
        Err(error) => panic!("{error}"),
    };
    (String::from_utf8_lossy(&bytes).into_owned(), end)
}

/// The body, and the length that its head declares.
pub(crate) fn body(answer: &str) -> (&str, usize) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    (body, length.parse().unwrap())
}
