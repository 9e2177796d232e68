//! HTTP listener on 127.0.0.1 that receives the callback: `GET /callback?code=…&state=…&iss=…`.
//!
//! Every program on this machine and every page in the browser can connect, too. So the listener
//! accepts only a `GET` of the callback path with its own address as `Host` and with the `state` of
//! this login. Other requests get an error page. A connection that sends nothing does not block
//! other connections, because each connection is read on its own thread. The number of connections
//! is bounded: a new one closes the oldest that has not sent its request yet.
//!
//! RFC 8252 section 7.3.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use atproto_oauth_core::CallbackParams;
use url::Url;

use crate::account::page;

/// Bound listener for the callback of one login.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    path: &'static str,
}

/// Listener whose thread accepts connections. The drop ends the thread and closes the port.
#[derive(Debug)]
pub(crate) struct Listening {
    address: SocketAddr,
    ending: Arc<AtomicBool>,
}

/// Connection that delivered the callback. The browser waits for the response page.
#[derive(Debug)]
pub(crate) struct Browser {
    connection: Connection,
    pub(crate) params: CallbackParams,
}

/// Stream that is shut down with its drop, although [`Reading`] has a handle of it, too.
#[derive(Debug)]
struct Connection(TcpStream);

/// Connection whose request is being read.
#[derive(Debug)]
struct Reading {
    stream: TcpStream,
    thread: JoinHandle<()>,
}

/// Time limit for one connection to send the head of its request.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest head of a request in bytes; browsers send less.
const MAX_REQUEST: usize = 32 * 1024;

/// Largest number of connections that are read at the same time.
const MAX_CONNECTIONS: usize = 32;

/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(20);

impl Listener {
    /// Binds a free port of `127.0.0.1`; `path` is the path of the redirect URI.
    pub(crate) fn bind(path: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, path })
    }

    /// Returns the redirect URI: `http://127.0.0.1:<port><path>`.
    pub(crate) fn redirect_uri(&self) -> Result<Url, url::ParseError> {
        Url::parse(&format!("http://{}{}", self.address, self.path))
    }

    /// Accepts connections on a thread of its own, and gives each callback with this `state` to
    /// `deliver`, until the result is dropped.
    pub(crate) fn listen(
        self,
        state: &str,
        deliver: impl Fn(Browser) + Clone + Send + 'static,
    ) -> io::Result<Listening> {
        let (address, ending) = (self.address, Arc::new(AtomicBool::new(false)));
        let (state, is_ending) = (state.to_owned(), Arc::clone(&ending));
        let accept = move || {
            let mut connections = VecDeque::new();
            while !is_ending.load(Ordering::Acquire) {
                match self.listener.accept() {
                    Ok((stream, _)) => {
                        // An entry keeps a file descriptor, even if the thread has answered.
                        connections.retain(|reading: &Reading| !reading.thread.is_finished());
                        make_room(&mut connections);
                        let reading = self.read_in_background(stream, &state, deliver.clone());
                        // Without a thread or a file descriptor, the connection is closed.
                        connections.extend(reading.ok());
                    }
                    // The connection ended before it was accepted, or no file descriptor is free: both
                    // are temporary.
                    Err(_) => thread::sleep(PAUSE),
                }
            }
        };
        thread::Builder::new().name("listener".to_owned()).spawn(accept)?;
        Ok(Listening { address, ending })
    }

    /// Reads the request on a new thread, so that a connection that sends nothing does not delay
    /// the browser. If the request is the callback, the thread gives it to `deliver`.
    fn read_in_background(
        &self,
        stream: TcpStream,
        state: &str,
        deliver: impl Fn(Browser) + Send + 'static,
    ) -> io::Result<Reading> {
        let (host, path, state) = (self.address.to_string(), self.path, state.to_owned());
        let kept = stream.try_clone()?;
        let connection = Connection(stream);
        let read = move || {
            let Ok(head) = read_head(&connection.0) else { return };
            match callback(&head, &host, path, &state) {
                Ok(params) => deliver(Browser { connection, params }),
                Err((status, text)) => answer(&connection.0, status, "Not accepted", text),
            }
        };
        Ok(Reading { stream: kept, thread: thread::Builder::new().spawn(read)? })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It fails if the connection has ended already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        // The thread waits for a connection, and looks at the flag after this one.
        drop(TcpStream::connect_timeout(&self.address, PAUSE));
    }
}

/// If there are too many connections, closes the oldest, whose thread then ends. A browser sends its
/// request at once, so its connection is not the oldest for long.
fn make_room(connections: &mut VecDeque<Reading>) {
    while connections.len() >= MAX_CONNECTIONS {
        if let Some(oldest) = connections.pop_front()
            && !oldest.thread.is_finished()
        {
            let _ = oldest.stream.shutdown(Shutdown::Both);
        }
    }
}

impl Browser {
    /// Sends the page with the result of the login, and closes the connection.
    pub(crate) fn show(self, status: &str, title: &str, text: &str) {
        answer(&self.connection.0, status, title, text);
    }
}

fn answer(mut stream: &TcpStream, status: &str, title: &str, text: &str) {
    // If the browser has closed the connection, the page is lost. The command prints the result,
    // too.
    let _ = stream.write_all(page::response(status, title, text).as_bytes());
}

/// Reads the head of a request. Fails if it is larger than `MAX_REQUEST` or takes longer than
/// `READ_TIMEOUT`.
fn read_head(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + READ_TIMEOUT;
    stream.set_write_timeout(Some(READ_TIMEOUT))?;
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > MAX_REQUEST {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => head.extend(buffer.iter().take(count)),
        }
    }
    Ok(head)
}

/// Status line and text of an error page.
type Refusal = (&'static str, &'static str);

/// Returns the callback parameters if the request is the callback of this login, otherwise the
/// error page.
fn callback(head: &[u8], host: &str, path: &str, state: &str) -> Result<CallbackParams, Refusal> {
    const NOT_FOUND: Refusal = ("404 Not Found", "There is no page at this URL.");
    const BAD: Refusal =
        ("400 Bad Request", "This request does not belong to the login in progress.");

    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head).map_err(|_| BAD)?;
    let hosts: Vec<_> =
        request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("host")).collect();
    // DNS rebinding: a page of another site can make the browser send a request to this listener,
    // but the `Host` header then names the other site.
    if !matches!(hosts.as_slice(), [only] if only.value == host.as_bytes()) {
        return Err(BAD);
    }
    let target = request.path.ok_or(BAD)?;
    let (found, query) = target.split_once('?').unwrap_or((target, ""));
    if found != path || request.method != Some("GET") {
        return Err(NOT_FOUND);
    }
    let params = CallbackParams::parse(&format!("?{query}")).map_err(|_| BAD)?;
    if params.state() == state { Ok(params) } else { Err(BAD) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const WAIT: Duration = Duration::from_secs(20);

    /// Waits for the callback as `login` does.
    fn wait(listener: Listener, state: &str, time: Duration) -> Option<Browser> {
        let (sender, browsers) = mpsc::channel();
        let deliver = move |browser| drop(sender.send(browser));
        let _listening = listener.listen(state, deliver).unwrap();
        browsers.recv_timeout(time).ok()
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(address: SocketAddr, target: &str, host: &str) -> String {
        ask(address, &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }

    #[test]
    fn only_the_callback_of_this_login_is_accepted() {
        // Rule L-20
        let listener = Listener::bind("/callback").unwrap();
        let address = listener.address;
        let asking = thread::spawn(move || {
            let host = address.to_string();
            let good = "/callback?state=right&iss=x&code=y";
            // This connection sends nothing, and must not delay the others.
            let silent = TcpStream::connect(address).unwrap();
            assert!(get(address, "/favicon.ico", &host).starts_with("HTTP/1.1 404"));
            assert!(
                get(address, "/callback/?state=right&code=y", &host).starts_with("HTTP/1.1 404")
            );
            assert!(get(address, good, "evil.example.com").starts_with("HTTP/1.1 400"));
            assert!(get(address, good, "localhost").starts_with("HTTP/1.1 400"));
            assert!(
                get(address, "/callback?state=wrong&code=y", &host).starts_with("HTTP/1.1 400")
            );
            assert!(get(address, "/callback", &host).starts_with("HTTP/1.1 400"));
            let twice = "/callback?state=right&state=right&code=y";
            assert!(get(address, twice, &host).starts_with("HTTP/1.1 400"));
            let post = format!("POST {good} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert!(ask(address, &post).starts_with("HTTP/1.1 404"));
            assert!(ask(address, "garbage\r\n\r\n").starts_with("HTTP/1.1 400"));
            let page = get(address, good, &host);
            drop(silent);
            page
        });
        let browser = wait(listener, "right", WAIT).unwrap();
        browser.show("200 OK", "Done", "The login has ended.");
        let page = asking.join().unwrap();
        assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
        assert!(page.contains("Referrer-Policy: no-referrer"), "{page}");
    }

    #[test]
    fn many_silent_connections_are_closed_and_delay_no_callback() {
        // Rule L-20
        let listener = Listener::bind("/callback").unwrap();
        let address = listener.address;
        let asking = thread::spawn(move || {
            let silent: Vec<_> =
                (0..4 * MAX_CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
            let started = Instant::now();
            let page = get(address, "/callback?state=right&iss=x&code=y", &address.to_string());
            assert!(started.elapsed() < READ_TIMEOUT / 2, "{:?}", started.elapsed());
            // The oldest were closed to make room, long before they would have timed out.
            let is_open = |mut stream: &TcpStream| {
                stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
                let error = stream.read(&mut [0]).err().map(|error| error.kind());
                matches!(error, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut))
            };
            let open = silent.iter().filter(|stream| is_open(stream)).count();
            assert!(open <= MAX_CONNECTIONS, "{open}");
            page
        });
        let browser = wait(listener, "right", WAIT).unwrap();
        browser.show("200 OK", "Done", "The login has ended.");
        assert!(asking.join().unwrap().starts_with("HTTP/1.1 200 OK"));
    }

    #[test]
    fn the_port_is_closed_at_the_end() {
        // Rule L-20
        let listener = Listener::bind("/callback").unwrap();
        let address = listener.address;
        assert!(wait(listener, "state", Duration::from_millis(60)).is_none());
        let deadline = Instant::now() + WAIT;
        while TcpStream::connect(address).is_ok() {
            assert!(Instant::now() < deadline, "{address} is open");
            thread::sleep(PAUSE);
        }
    }
}
