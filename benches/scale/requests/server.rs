//! The server of all requests: HTTP/1.1 on loopback with kept connections, and the same answer each time. It is a
//! process of its own, on one core, so that its work is not that of the clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::pinned;

/// A running server, which ends with this value.
pub(crate) struct Server {
    port: u16,
    process: Child,
}

impl Server {
    /// Starts the server on the last core of the machine.
    pub(crate) fn start(cores: usize) -> Self {
        let last = (cores - 1).to_string();
        let mut command = pinned(&last, &[SERVE]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { port: line.trim().parse().unwrap(), process }
    }

    /// The server's origin, whose host is a name, as that of every PDS.
    pub(crate) fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server ends when its standard input does.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Prints the port, and serves until the end of standard input.
pub(crate) fn serve() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let accepted = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            accepted.fetch_add(1, Relaxed);
            let accepted = Arc::clone(&accepted);
            std::thread::spawn(move || answer(stream.unwrap(), &accepted));
        }
    });
    let _ = std::io::stdin().read(&mut [0]);
}

/// Answers each head of a request with the number of connections so far; no request has a body.
fn answer(mut stream: TcpStream, accepted: &AtomicUsize) {
    stream.set_nodelay(true).unwrap();
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(got @ 1..) = stream.read(&mut piece) {
        head.extend_from_slice(piece.get(..got).unwrap());
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        let body = format!("{:>9}", accepted.load(Relaxed));
        let answer = format!("{HEAD}{body}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The argument that makes this program the server.
pub(crate) const SERVE: &str = "serve";

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
    dpop-nonce: a-nonce-of-the-server\r\ncontent-length: 9\r\n\r\n";
