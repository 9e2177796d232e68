//! A server that does as it is told, on a port of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A server on a port of this machine, which ends with the value.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    log: Arc<Log>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Log {
    stopped: AtomicBool,
    connections: AtomicUsize,
    requests: Mutex<Vec<Received>>,
}

/// A request as it came over the line.
#[derive(Clone, Debug)]
pub struct Received {
    /// The first line: method, target, version.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

/// One connection, on the side of the server.
pub struct Peer {
    stream: Box<dyn Stream>,
    log: Arc<Log>,
}

/// What a connection is read from and written to.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Server {
    /// Serves each connection in a thread of its own.
    pub fn start(serve: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        Self::start_over(|stream| Box::new(stream), serve)
    }

    /// Serves each connection over a layer of its own, such as TLS.
    pub fn start_over(
        layer: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
        serve: impl Fn(Peer) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Log::default());
        let shared = Arc::new((layer, serve, Arc::clone(&log)));
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                if shared.2.stopped.load(Ordering::SeqCst) {
                    return;
                }
                shared.2.connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    stream.set_write_timeout(Some(PATIENCE)).unwrap();
                    let (layer, serve, log) = &*shared;
                    serve(Peer { stream: layer(stream), log: Arc::clone(log) });
                });
            }
        });
        Self { address, log, accepting: Some(accepting) }
    }

    /// Answers every request with `reply`, on as many connections as come.
    pub fn replying(reply: &'static str) -> Self {
        Self::start(move |mut peer| {
            while peer.receive().is_some() {
                peer.send(reply);
            }
        })
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far, on whatever connection.
    pub fn requests(&self) -> Vec<Received> {
        self.log.requests.lock().unwrap().clone()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.log.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.log.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.accepting.take().unwrap().join();
    }
}

impl Peer {
    /// The next request, unless the client is gone.
    pub fn receive(&mut self) -> Option<Received> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.byte()?);
        }
        let text = String::from_utf8(head).unwrap();
        let mut lines = text.lines();
        let line = lines.next().unwrap().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut request = Received { line, headers, body: Vec::new() };
        request.body = match (request.header("content-length"), request.header("transfer-encoding"))
        {
            (Some(length), _) => self.bytes(length.parse().unwrap())?,
            (None, Some("chunked")) => self.chunks()?,
            _ => Vec::new(),
        };
        self.log.requests.lock().unwrap().push(request.clone());
        Some(request)
    }

    /// Sends as much as the client takes.
    pub fn send(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).and_then(|()| self.stream.flush()).is_ok()
    }

    /// Waits until the client goes.
    pub fn wait_for_end(&mut self) {
        while self.byte().is_some() {}
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(self.byte()?);
            }
            let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16);
            let chunk = self.bytes(size.unwrap() + 2)?;
            if chunk.len() == 2 {
                return Some(whole);
            }
            whole.extend_from_slice(&chunk[..chunk.len() - 2]);
        }
    }

    fn bytes(&mut self, size: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes).ok().map(|()| bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }
}

impl Received {
    /// The first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All headers of this name, which is in lower case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(this, _)| this == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// An address where nobody listens.
///
/// # Errors
///
/// There is no free port.
pub fn nobody() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// No thread of a test outlives it by more.
const PATIENCE: Duration = Duration::from_secs(10);
