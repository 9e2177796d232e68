//! Lookups of hosts: their number, and the threads that they need.

use std::net::Ipv4Addr;
use std::time::Duration;

use atproto_sansio_conformance::{HostLookups, OK, Server, get, how, send};

use crate::adapter::{Tested, builder};

/// A driver that remembers no address.
fn forgetful(lookups: &HostLookups) -> Tested {
    let lookups = lookups.clone();
    let builder = builder().resolve_with(move |host| lookups.look_up(host));
    Tested(builder.remember_addresses(Duration::ZERO).build())
}

fn here() -> HostLookups {
    HostLookups::new(|_, _| Ok(vec![Ipv4Addr::LOCALHOST.into()]))
}

#[test]
fn a_kept_connection_needs_no_lookup() {
    let server = Server::replying(OK);
    let lookups = here();
    let driver = forgetful(&lookups);
    for _ in 0..60 {
        let url = format!("http://pds.example.com:{}/", server.address.port());
        send(&driver, get(url), how()).unwrap();
    }
    assert_eq!((server.requests().len(), server.connections()), (60, 1));
    assert_eq!(lookups.hosts().len(), 1);
}

#[test]
fn all_lookups_run_in_one_thread() {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    });
    let lookups = here();
    let driver = forgetful(&lookups);
    for _ in 0..60 {
        let url = format!("http://pds.example.com:{}/", server.address.port());
        send(&driver, get(url), how()).unwrap();
    }
    let mut threads = lookups.threads();
    assert_eq!((threads.len(), server.connections()), (60, 60));
    threads.dedup();
    assert_eq!(threads.len(), 1);
}

#[test]
fn a_host_that_is_an_address_is_not_looked_up() {
    let server = Server::replying(OK);
    let lookups = here();
    send(&forgetful(&lookups), get(server.url("/")), how()).unwrap();
    assert_eq!(lookups.hosts(), [""; 0]);
}

/// Every thread of this process belongs to the test: it starts the test binary again with itself as the only
/// test.
#[cfg(target_os = "linux")]
#[test]
fn a_kept_connection_needs_no_thread() {
    const CHILD: &str = "ATPROTO_OAUTH_UREQ_COUNTS_THREADS";
    const NAME: &str = "lookups::a_kept_connection_needs_no_thread";
    if std::env::var_os(CHILD).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", NAME]).env(CHILD, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let count = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let server = Server::replying(OK);
    let driver = Tested(builder().build());
    let url = || format!("http://localhost:{}/", server.address.port());
    let before = count();
    send(&driver, get(url()), how()).unwrap();
    // One looked up the host, and one is the server's.
    assert_eq!(count(), before + 2);
    for _ in 0..60 {
        send(&driver, get(url()), how()).unwrap();
        assert_eq!(count(), before + 2);
    }
    assert_eq!(server.connections(), 1);
}
