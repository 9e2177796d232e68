//! Start and end of the sandbox on sockets, its ports, and its clock.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use atproto_oauth_sandbox::{Fault, Served};

use crate::served::raw::{End, LONG, SHORT, address, asked, get, read};

const PATH: &str = "/.well-known/oauth-authorization-server";

/// Starts a sandbox on consecutive ports at or above `from`. Tries up to 50 ranges, because other
/// programs on this machine may use some of them.
fn in_a_row(from: u16) -> (Served, u16) {
    let mut rows = (0..50).map(|row| from + row * 20);
    rows.find_map(|first| Some((Served::builder(1).first_port(first).start().ok()?, first)))
        .unwrap()
}

#[test]
fn a_dropped_sandbox_closes_its_connections_and_frees_its_ports() {
    let (served, first) = in_a_row(23_000);
    let at = address(&served.names().pds);
    let nameserver = served.nameserver();
    served.sandbox().fault(Fault::silence().always());
    let mut waiting = asked(&served.names().pds, PATH);
    let mut asking = TcpStream::connect(nameserver).unwrap();
    asking.write_all(&[0]).unwrap();
    assert_eq!(read(&mut waiting, SHORT), (String::new(), End::Silent));

    let started = Instant::now();
    drop(served);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(TcpStream::connect(at).is_err());
    assert_eq!(read(&mut waiting, LONG), (String::new(), End::Closed));
    // All ports are free at once for the next sandbox.
    Served::builder(1).first_port(first).start().unwrap();
}

#[test]
fn two_sandboxes_are_separate_networks() {
    let (one, two) = (Served::start(1).unwrap(), Served::start(2).unwrap());
    let did = |served: &Served| served.sandbox().did("alice.test").unwrap().to_owned();
    assert_ne!(did(&one), did(&two));
    assert!(get(&one.names().plc, &format!("/{}", did(&one))).0.contains(" 200 "));
    assert!(get(&two.names().plc, &format!("/{}", did(&one))).0.contains(" 404 "));
}

#[test]
fn ports_can_be_fixed() {
    let (served, first) = in_a_row(21_000);
    assert_eq!(served.names().pds, format!("http://localhost:{first}"));
    assert_eq!(served.names().plc, format!("http://localhost:{}", first + 5));
    assert_eq!(served.names().did_web, format!("localhost%3A{}", first + 7));
    assert_eq!(served.nameserver().port(), first + 8);
    let taken = Served::builder(1).first_port(first + 2).start().unwrap_err();
    assert!(taken.to_string().contains(&format!("port {}", first + 2)), "{taken}");
    let too_high = Served::builder(1).first_port(65_530).start().unwrap_err();
    assert_eq!(too_high.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn the_clock_runs_on_after_advance() {
    let served = Served::start(1).unwrap();
    let before = served.sandbox().now();
    let hour = Duration::from_secs(3600);
    served.sandbox().advance(hour);
    let ahead = served.sandbox().now();
    assert!(ahead.since(before) >= hour);
    std::thread::sleep(Duration::from_millis(20));
    assert!(served.sandbox().now().since(ahead) >= Duration::from_millis(20));
}

#[test]
fn a_sandbox_can_be_started_and_dropped_within_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { drop(Served::start(1).unwrap()) });
}
