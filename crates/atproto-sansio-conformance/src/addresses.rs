//! Scenarios of the addresses of hosts: how often a host is looked up, and how long the answer is good.
//!
//! [`settings_tests!`](crate::settings_tests) makes a test of each scenario.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use atproto_sansio::{How, Phase, Reach};

use crate::adapter::{Adapter, Outcome, send, send_changed};
use crate::requests::{OK, get, how};
use crate::server::Server;
use crate::settings::Settings;

/// A scripted resolver of hosts, which records its lookups. Clones share the record.
#[derive(Clone)]
pub struct HostLookups {
    answer: Arc<Answer>,
    asked: Arc<Mutex<Vec<(String, ThreadId)>>>,
}

impl HostLookups {
    /// Creates a resolver. For each lookup, `answer` receives the host and the number of the lookup
    /// (from 1).
    pub fn new(
        answer: impl Fn(&str, usize) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self { answer: Arc::new(answer), asked: Arc::default() }
    }

    /// Resolves `host`.
    ///
    /// # Errors
    ///
    /// Fails with the error of the script.
    pub fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let count = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((host.to_owned(), thread::current().id()));
            asked.len()
        };
        (self.answer)(host, count)
    }

    /// Returns the hosts of all lookups so far.
    pub fn hosts(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(host, _)| host.clone()).collect()
    }

    /// Returns the threads in which the lookups ran.
    pub fn threads(&self) -> Vec<ThreadId> {
        self.asked.lock().unwrap().iter().map(|(_, thread)| *thread).collect()
    }
}

/// Many requests to one host need one lookup.
pub fn requests_to_one_host_share_a_lookup<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
    let server = Server::replying(OK);
    let lookups = HostLookups::new(|_, _| Ok(vec![HERE]));
    let adapter = adapter(resolving(&lookups));
    for _ in 0..60 {
        send(&adapter, get(url(&server, HOST)), how()).unwrap();
    }
    assert_eq!(server.requests().len(), 60);
    assert_eq!(lookups.hosts(), [HOST]);
}

/// Each host has a lookup of its own, although all of them are on one server.
pub fn each_host_has_its_own_lookup<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
    let server = Server::replying(OK);
    let lookups = HostLookups::new(|_, _| Ok(vec![HERE]));
    let adapter = adapter(resolving(&lookups));
    for _ in 0..3 {
        for host in [HOST, OTHER] {
            send(&adapter, get(url(&server, host)), how()).unwrap();
        }
    }
    assert_eq!(lookups.hosts(), [HOST, OTHER]);
}

/// If a server closes each connection, the next one is made without another lookup, in whatever spelling
/// the request has the host.
pub fn a_new_connection_soon_after_another_needs_no_lookup<A: Adapter>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    let server = closing();
    let lookups = HostLookups::new(|_, _| Ok(vec![HERE]));
    let adapter = adapter(resolving(&lookups));
    for host in [HOST, "PDS.Example.com", HOST] {
        send(&adapter, get(url(&server, host)), how()).unwrap();
        thread::sleep(CLOSE);
    }
    assert_eq!(server.connections(), 3);
    assert_eq!(lookups.hosts(), [HOST]);
}

/// A host is looked up again when the time of its addresses has passed, and its new addresses are used.
pub fn addresses_are_used_for_a_limited_time<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
    for time in [Duration::ZERO, Duration::from_millis(1)] {
        let server = closing();
        let lookups = HostLookups::new(|_, count| Ok(vec![if count == 3 { AWAY } else { HERE }]));
        let settings = Settings { addresses_for: Some(time), ..resolving(&lookups) };
        let adapter = adapter(settings);
        send_after_close(&adapter, &server).unwrap();
        send_after_close(&adapter, &server).unwrap();
        let error = send_after_close(&adapter, &server).unwrap_err();
        assert_eq!(error.phase, Phase::NotSent, "{error}");
        assert_eq!((lookups.hosts().len(), server.connections()), (3, 2));
    }
}

/// If no address of a host can be connected to, the next request looks it up again.
pub fn addresses_that_can_not_be_connected_to_are_forgotten<A: Adapter>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    let server = Server::replying(OK);
    let lookups = HostLookups::new(|_, count| Ok(vec![if count == 1 { AWAY } else { HERE }]));
    let adapter = adapter(resolving(&lookups));
    let error = send(&adapter, get(url(&server, HOST)), how()).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent, "{error}");
    send(&adapter, get(url(&server, HOST)), how()).unwrap();
    assert_eq!(lookups.hosts(), [HOST; 2]);
}

/// A lookup that fails, or finds no address, is not remembered.
pub fn a_failed_lookup_is_not_remembered<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
    let server = Server::replying(OK);
    let lookups = HostLookups::new(|_, count| match count {
        1 => Err(io::Error::other("the resolver fails")),
        2 => Ok(vec![]),
        _ => Ok(vec![HERE]),
    });
    let adapter = adapter(resolving(&lookups));
    for _ in 0..2 {
        let error = send(&adapter, get(url(&server, HOST)), how()).unwrap_err();
        assert_eq!(error.phase, Phase::NotSent, "{error}");
    }
    send(&adapter, get(url(&server, HOST)), how()).unwrap();
    assert_eq!(lookups.hosts().len(), 3);
}

/// A host that has a public address first and a private one afterwards is never connected to at the
/// private one: each lookup is checked (DNS rebinding).
pub fn a_host_that_moves_to_a_private_address_is_blocked<A: Adapter>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    // Rules J-06, J-07
    let server = Server::replying(OK);
    let lookups = HostLookups::new(|_, count| match count {
        1 => Ok(vec![PUBLIC]),
        2 => Ok(vec![PUBLIC, HERE]),
        _ => Ok(vec![HERE]),
    });
    let adapter = adapter(resolving(&lookups));
    let how = How { timeout: Duration::from_millis(300), ..how() };
    let public =
        || send_changed(&adapter, get(url(&server, HOST)), how, |call| call.reach = Reach::Public);
    let error = public().unwrap_err();
    assert_eq!(error.phase, Phase::NotSent, "{error}");
    for _ in 0..3 {
        let error = public().unwrap_err();
        assert!(matches!(error.phase, Phase::Blocked(_)), "{error}");
    }
    assert_eq!((lookups.hosts().len(), server.connections()), (4, 0));
}

/// The addresses of a `Configured` call, which may be private, are not used for a `Public` one.
pub fn addresses_of_another_reach_are_not_used<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
    // Rule J-07
    let server = closing();
    let lookups = HostLookups::new(|_, _| Ok(vec![HERE]));
    let adapter = adapter(resolving(&lookups));
    send_after_close(&adapter, &server).unwrap();
    let public = |_: usize| {
        send_changed(&adapter, get(url(&server, HOST)), how(), |call| call.reach = Reach::Public)
    };
    for error in (0..2).map(|number| public(number).unwrap_err()) {
        assert!(matches!(error.phase, Phase::Blocked(_)), "{error}");
    }
    assert_eq!((lookups.hosts().len(), server.connections()), (3, 1));
}

/// If the resolver does not answer, the call ends with its time, and is not sent.
pub fn a_resolver_that_hangs_ends_with_the_time_of_the_call<A: Adapter>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    // Rule J-22
    let server = Server::replying(OK);
    let (end, ended) = mpsc::channel::<()>();
    let (ended, gave_up) = (Mutex::new(ended), Arc::new(AtomicBool::new(false)));
    let gives_up = Arc::clone(&gave_up);
    let lookups = HostLookups::new(move |_, _| {
        // An adapter that waits for the resolver gets an answer at last, and fails the scenario.
        let end = ended.lock().unwrap().recv_timeout(Duration::from_secs(15));
        gives_up.fetch_or(end == Err(RecvTimeoutError::Timeout), Ordering::SeqCst);
        Ok(vec![HERE])
    });
    let adapter = adapter(resolving(&lookups));
    let short = How { timeout: Duration::from_millis(300), ..how() };
    let error = send(&adapter, get(url(&server, HOST)), short).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent, "{error}");
    assert!(!gave_up.load(Ordering::SeqCst), "the call waited for the resolver");
    drop(end);
    send(&adapter, get(url(&server, HOST)), how()).unwrap();
    assert_eq!(server.requests().len(), 1);
}

fn resolving(lookups: &HostLookups) -> Settings<'_> {
    Settings { lookups: Some(lookups), ..Settings::default() }
}

/// A server that closes each connection after one answer.
fn closing() -> Server {
    Server::start(|mut peer| {
        peer.receive();
        peer.send(OK);
    })
}

/// Sends a request, and waits until the transport can know that its connection was closed.
fn send_after_close(adapter: &impl Adapter, server: &Server) -> Outcome {
    let outcome = send(adapter, get(url(server, HOST)), how());
    thread::sleep(CLOSE);
    outcome
}

fn url(server: &Server, host: &str) -> String {
    format!("http://{host}:{}/", server.address.port())
}

/// Time after which a transport knows that its connection was closed.
const CLOSE: Duration = Duration::from_millis(50);

const HOST: &str = "pds.example.com";
const OTHER: &str = "other.example.com";

/// The address of every [`Server`].
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An address of this machine at which no server listens.
const AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// An address that counts as public, of a block that is not allocated.
const PUBLIC: IpAddr = IpAddr::V6(Ipv6Addr::new(0x3000, 0, 0, 0, 0, 0, 0, 1));

type Answer = dyn Fn(&str, usize) -> io::Result<Vec<IpAddr>> + Send + Sync;

impl std::fmt::Debug for HostLookups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostLookups").field("hosts", &self.hosts()).finish_non_exhaustive()
    }
}
