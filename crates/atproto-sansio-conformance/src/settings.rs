//! Scenarios of a transport with settings: address overrides, development networks, and proxies of
//! the environment.
//!
//! [`settings_tests!`](crate::settings_tests) makes a test of each scenario. Its argument is a
//! function that takes [`Settings`], and returns an adapter with these settings.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::num::NonZero;
use std::process::Command;
use std::time::Duration;

use atproto_sansio::{How, Phase, Reach};

use crate::adapter::{Adapter, send, send_reaching};
use crate::addresses::HostLookups;
use crate::requests::{OK, get, how};
use crate::server::Server;

/// The settings that a scenario asks of a transport; all others are the transport's defaults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings<'a> {
    /// Whether the adapter performs `Development` calls.
    pub development: bool,
    /// A host, and the address to connect to for each request to it, port included.
    pub host_override: Option<(&'a str, SocketAddr)>,
    /// A host, and the addresses that it resolves to for calls of every reach.
    pub resolved: Option<(&'a str, &'a [IpAddr])>,
    /// The resolver to ask for addresses of hosts instead of the system.
    pub lookups: Option<&'a HostLookups>,
    /// Time for which the addresses of a host are remembered after their lookup.
    pub addresses_for: Option<Duration>,
    /// Most requests in flight to one server.
    pub requests_per_server: Option<NonZero<usize>>,
    /// A certificate authority to trust instead of the public ones, in PEM or DER.
    pub root_certificate: Option<&'a [u8]>,
}

/// An override applies to `Configured` and `Development` calls, and never to `Public` ones.
pub fn an_override_is_for_private_calls_only<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
    let server = Server::replying(OK);
    let host_override = Some(("PDS.invalid", server.address));
    let adapter = adapter(Settings { development: true, host_override, ..Settings::default() });
    let url = || get("http://pds.INVALID:1/".to_owned());
    send_reaching(&adapter, url(), Reach::Configured).unwrap();
    send_reaching(&adapter, url(), Reach::Development).unwrap();
    assert_eq!(server.requests()[0].header("host"), Some("pds.INVALID:1"));
    let error = send_reaching(&adapter, url(), Reach::Public).unwrap_err();
    assert!(error.surely_not_sent(), "{error}");
    assert_eq!(server.requests().len(), 2);
}

/// An address that the settings give a host is checked like one of the system: the guard of a program
/// can be tested.
pub fn a_public_call_to_a_host_that_is_set_to_a_private_address_is_blocked<A: Adapter>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    let server = Server::replying(OK);
    let address = [server.address.ip()];
    let resolved = Some(("PDS.example.com", &address[..]));
    let adapter = adapter(Settings { resolved, ..Settings::default() });
    let url = || get(format!("http://pds.EXAMPLE.com:{}/", server.address.port()));
    let error = send_reaching(&adapter, url(), Reach::Public).unwrap_err();
    let Phase::Blocked(rule) = &error.phase else { panic!("{error}") };
    assert_eq!(rule.address, Some(server.address.ip()));
    assert_eq!(server.connections(), 0);
    send_reaching(&adapter, url(), Reach::Configured).unwrap();
    assert_eq!(server.requests().len(), 1);
}

/// If the first addresses of a host do not answer, the next one is tried within the time of the call,
/// also if that time is short.
pub fn an_address_that_does_not_answer_leaves_time_for_the_next<A: Adapter>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    // Rule J-22
    for (seconds, hosts) in [(6, 1), (2, 1), (3, 2)] {
        let server = Server::replying(OK);
        let port = server.address.port();
        let silent: Vec<_> =
            (0..hosts).map(|host| Silent::at(([127, 0, 0, 2 + host], port).into())).collect();
        let mut addresses: Vec<_> = silent.iter().map(|silent| silent.address.ip()).collect();
        addresses.push(server.address.ip());
        let resolved = Some(("pds.example.com", &addresses[..]));
        let adapter = adapter(Settings { resolved, ..Settings::default() });
        let url = get(format!("http://pds.example.com:{port}/"));
        let how = How { timeout: Duration::from_secs(seconds), ..how() };
        send(&adapter, url, how).unwrap();
    }
}

/// An address that does not answer, as behind a firewall: Linux drops the connections to a listener
/// whose queue is full.
struct Silent {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Silent {
    fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queued.push(stream);
            assert!(queued.len() < 10_000, "the queue of a listener is bounded");
        }
        Self { address, _listener: listener, _queued: queued }
    }
}

/// A transport that was built for development performs `Development` calls.
pub fn a_development_transport_performs_development_calls<A: Adapter>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    let server = Server::replying(OK);
    let adapter = adapter(Settings { development: true, ..Settings::default() });
    let how = How { reach: Reach::Development, ..how() };
    send(&adapter, get(server.url("/")), how).unwrap();
}

/// Proxies of the environment variables are not used, because a proxy resolves the host again.
///
/// The scenario starts the test binary again with proxy variables, and with `test` as the only
/// test.
pub fn proxies_of_the_environment_are_ignored<A: Adapter>(
    adapter: impl Fn(Settings<'_>) -> A,
    test: &str,
) {
    // Rule J-08
    if let Ok(url) = std::env::var(URL) {
        send(&adapter(Settings::default()), get(url), how()).unwrap();
        return;
    }
    let server = Server::replying(OK);
    let proxy = Server::replying("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    let mut command = Command::new(std::env::current_exe().unwrap());
    // The test harness names a test by its path without the crate name.
    let test = test.split_once("::").map_or(test, |(_crate, path)| path);
    command.args(["--exact", test]).env(URL, server.url("/"));
    for name in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"] {
        command.env(name, proxy.url("")).env(name.to_lowercase(), proxy.url(""));
    }
    for name in ["NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    assert!(command.output().unwrap().status.success());
    assert_eq!((server.requests().len(), proxy.connections()), (1, 0));
}

/// Environment variable for the URL that the second process requests.
const URL: &str = "ATPROTO_SANSIO_CONFORMANCE_URL";
