//! Scenarios of requests that wait for other requests to the same server.
//!
//! [`settings_tests!`](crate::settings_tests) makes a test of each scenario.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use atproto_sansio::{How, Phase, UnixTime};

use crate::adapter::{Adapter, send};
use crate::requests::{OK, get, how};
use crate::server::{Peer, Server};
use crate::settings::Settings;

/// If many threads make requests at once, a server gets no more of them at a time than the limit says. No
/// request is lost.
pub fn requests_above_the_limit_wait<A: Adapter + Sync>(adapter: impl Fn(Settings<'_>) -> A) {
    let (here, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let server = Server::start(move |mut peer| {
        while peer.receive().is_some() {
            seen.fetch_max(here.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            peer.wait(20);
            here.fetch_sub(1, Ordering::SeqCst);
            peer.send(OK);
        }
    });
    let adapter = adapter(limited_to(3));
    thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| send(&adapter, get(server.url("/")), how()).unwrap());
        }
    });
    assert_eq!((server.requests().len(), most.load(Ordering::SeqCst)), (30, 3));
}

/// Requests that wait are sent in the order in which they came.
pub fn the_queue_of_a_server_keeps_its_order<A: Adapter + Sync>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    let server = busy(500);
    let adapter = adapter(limited_to(1));
    thread::scope(|scope| {
        for path in ["/1", "/2", "/3", "/4"] {
            let url = server.url(path);
            scope.spawn(|| send(&adapter, get(url), how()).unwrap());
            thread::sleep(Duration::from_millis(100));
        }
    });
    let lines: Vec<_> = server.requests().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, ["1", "2", "3", "4"].map(|path| format!("GET /{path} HTTP/1.1")));
}

/// A server at its limit does not delay requests to another one.
pub fn a_busy_server_delays_no_request_to_another<A: Adapter + Sync>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = std::sync::Mutex::new(receiver);
    let busy = Server::start(move |mut peer| {
        peer.receive();
        // Waits until the other server has answered.
        let _ = receiver.lock().unwrap().recv_timeout(Duration::from_secs(10));
        peer.send(OK);
    });
    let free = Server::replying(OK);
    let adapter = adapter(limited_to(1));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| send(&adapter, get(busy.url("/")), how()));
        wait_for_request(&busy);
        send(&adapter, get(free.url("/")), how()).unwrap();
        sender.send(()).unwrap();
        waiting.join().unwrap().unwrap();
    });
}

/// A request whose time ends in the queue was not sent, and the one behind it gets its turn. The time in the
/// queue is part of the time of the call, and no silence of the host.
pub fn a_request_that_times_out_in_the_queue_was_not_sent<A: Adapter + Sync>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    let server = busy(1500);
    let adapter = adapter(limited_to(1));
    let ask = |path, millis| {
        let how = How { timeout: Duration::from_millis(millis), ..how() };
        send(&adapter, get(server.url(path)), how)
    };
    thread::scope(|scope| {
        // The second request has too little time for the queue, and the fourth one for its own reply.
        let asked =
            [("/1", 9000), ("/2", 400), ("/3", 9000), ("/4", 2500)].map(|(path, millis)| {
                let asked = scope.spawn(move || ask(path, millis));
                thread::sleep(Duration::from_millis(100));
                asked
            });
        let [first, second, third, fourth] = asked.map(|asked| asked.join().unwrap());
        for error in [second.unwrap_err(), fourth.unwrap_err()] {
            assert!(error.phase == Phase::NotSent && error.is_untried, "{error}");
        }
        assert!(first.and(third).is_ok());
    });
    assert_eq!(server.requests().len(), 2);
}

/// A request that becomes too late in the queue is not sent: its proof is out of date, or too little time is
/// left for the reply.
pub fn a_request_that_became_late_in_the_queue_is_not_sent<A: Adapter + Sync>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let soon = UnixTime::from_epoch(now + Duration::from_millis(1200));
    for late in [
        How { start_by: Some(soon), ..how() },
        How { timeout: Duration::from_secs(5), least_time: Duration::from_secs(4), ..how() },
    ] {
        let server = busy(2000);
        let adapter = adapter(limited_to(1));
        thread::scope(|scope| {
            let first = scope.spawn(|| send(&adapter, get(server.url("/first")), how()));
            wait_for_request(&server);
            let error = send(&adapter, get(server.url("/second")), late).unwrap_err();
            assert!(error.phase == Phase::NotSent && error.is_untried, "{error}");
            first.join().unwrap().unwrap();
        });
        thread::sleep(Duration::from_millis(200));
        assert_eq!(server.requests().len(), 1);
    }
}

fn limited_to(count: usize) -> Settings<'static> {
    Settings { requests_per_server: NonZero::new(count), ..Settings::default() }
}

/// A server that takes `millis` for each reply.
fn busy(millis: u64) -> Server {
    Server::start(move |mut peer: Peer| {
        while peer.receive().is_some() {
            peer.wait(millis);
            peer.send(OK);
        }
    })
}

fn wait_for_request(server: &Server) {
    while server.requests().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
}
