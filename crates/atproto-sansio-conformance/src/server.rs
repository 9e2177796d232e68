//! A scripted HTTP/1.1 server on a loopback port. It records connections and requests.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A server on a loopback port. It stops accepting connections when the value is dropped.
pub struct Server {
    /// The address on which the server listens.
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

/// A request as the server received it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The request line: method, target and version.
    pub line: String,
    /// Names in lower case, and values, in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

/// The server side of one connection.
pub struct Peer {
    stream: Box<dyn Stream>,
    log: Arc<Log>,
}

/// A byte stream of one connection: plain TCP, or a layer above it such as TLS.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Server {
    /// Starts a server that calls `serve` for each connection, in a thread of its own.
    pub fn start(serve: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        Self::start_over(|stream| Box::new(stream), serve)
    }

    /// Starts a server whose connections are wrapped by `layer`, such as TLS, and passed to
    /// `serve`.
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
                    stream.set_read_timeout(Some(IO_TIMEOUT)).unwrap();
                    stream.set_write_timeout(Some(IO_TIMEOUT)).unwrap();
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

    /// Returns the `http` URL of `path` on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns all requests received so far, on all connections.
    pub fn requests(&self) -> Vec<Received> {
        self.log.requests.lock().unwrap().clone()
    }

    /// Returns the number of connections accepted so far.
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
    /// Receives the next request; `None` if the client has closed the connection.
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

    /// Sends `text`, and returns whether the connection accepted all of it.
    pub fn send(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).and_then(|()| self.stream.flush()).is_ok()
    }

    /// Receives `size` bytes of a request, which is not recorded. Returns whether they came.
    pub fn skip(&mut self, size: usize) -> bool {
        self.bytes(size).is_some()
    }

    /// Leaves the connection open for some milliseconds, without reading.
    pub fn wait(&self, millis: u64) {
        thread::sleep(Duration::from_millis(millis));
    }

    /// Waits until the client closes the connection.
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
    /// Returns the first header with `name`, which must be in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Returns all headers with `name`, which must be in lower case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(this, _)| this == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// Returns a loopback address on which no process listens, so that connections are refused.
///
/// # Errors
///
/// Fails if no port is free.
pub fn closed_port() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Read and write timeout of a connection, so that its thread ends soon after the test.
const IO_TIMEOUT: Duration = Duration::from_secs(10);
