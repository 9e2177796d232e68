//! A client on the level of bytes: it writes bytes to a socket, and reads the response.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Timeout for bytes that must arrive.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Timeout for bytes that must not arrive.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// End of a response: the server closes the connection, or the timeout expires.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Closed,
    Silent,
}

pub(crate) fn address(origin: &str) -> SocketAddr {
    origin.replace("http://localhost", "127.0.0.1").parse().unwrap()
}

/// Opens a connection, and sends these bytes.
pub(crate) fn sent(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream
}

/// Sends these bytes on a new connection, and reads until the connection closes or [`LONG`]
/// expires.
pub(crate) fn send(address: SocketAddr, bytes: &str) -> (String, End) {
    read(&mut sent(address, bytes), LONG)
}

/// Opens a connection, and sends a GET request.
pub(crate) fn asked(origin: &str, path: &str) -> TcpStream {
    sent(address(origin), &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
}

/// Sends a GET request with `connection: close`, and reads the response.
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

/// Returns the body of a response, and the value of its `content-length`.
pub(crate) fn body(answer: &str) -> (&str, usize) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    (body, length.parse().unwrap())
}
