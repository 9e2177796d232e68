//! Scenarios of connections that are kept for further requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use atproto_sansio::Phase;

use crate::adapter::{Adapter, send};
use crate::requests::{OK, how, post};
use crate::server::Server;

/// If a kept connection closes after a request and before its reply, the request is not sent again,
/// because only the machine knows whether it may be repeated.
pub fn a_request_on_a_connection_that_dies_is_sent_once(adapter: &impl Adapter) {
    // Rule E-12: the server answers the first request. It reads any other, and closes the
    // connection.
    let answered = AtomicBool::new(false);
    let server = Server::start(move |mut peer| {
        while peer.receive().is_some() && !answered.swap(true, Ordering::SeqCst) {
            peer.send(OK);
        }
    });
    send(adapter, post(server.url("/1"), "a"), how()).unwrap();
    // The transport may mark a connection as idle shortly after its reply.
    thread::sleep(Duration::from_millis(100));
    let error = send(adapter, post(server.url("/2"), "b"), how()).unwrap_err();
    assert_eq!(error.phase, Phase::MaybeSent, "{error}");
    thread::sleep(Duration::from_millis(100));
    assert_eq!(server.requests().len(), 2);
    if adapter.keeps_connections() {
        assert_eq!(server.connections(), 1, "the second request did not use the kept connection");
    }
}

/// If the server has closed an idle connection, the next request uses a new one and succeeds.
pub fn a_connection_that_was_closed_while_idle_is_not_used(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send(OK);
    });
    for count in 1..4 {
        send(adapter, post(server.url("/"), "a"), how()).unwrap();
        assert_eq!((server.requests().len(), server.connections()), (count, count));
        thread::sleep(Duration::from_millis(100));
    }
}

/// At whatever moment a kept connection ends, a request is received once at most, and `NotSent` means that the
/// server has received no byte of it.
pub fn a_request_is_sent_once_at_whatever_moment_its_connection_ends(adapter: &impl Adapter) {
    // Rule E-12: of two connections, the server answers the first request, and then each ends at another moment.
    let (count, begun) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let begins = Arc::clone(&begun);
    let server = Server::start(move |mut peer| {
        let turn = count.fetch_add(1, Ordering::SeqCst);
        peer.receive();
        peer.send(OK);
        match turn % 5 {
            // Before the next request, at about the time at which it begins.
            0 => thread::sleep(Duration::from_micros((turn as u64 * 37) % 500)),
            // Within its head.
            1 => _ = begins.fetch_add(usize::from(peer.skip(10)), Ordering::SeqCst),
            // After the request; within the head of its reply; within the body of its reply.
            2 => _ = peer.receive(),
            3 => _ = peer.receive().is_some_and(|_| peer.send("HTTP/1.1 200 O")),
            _ => {
                let part = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhal";
                _ = peer.receive().is_some_and(|_| peer.send(part));
            }
        }
    });
    let mut outcomes = Vec::new();
    for number in 0..100 {
        let (path, before) = (format!("/{number}"), begun.load(Ordering::SeqCst));
        let outcome = send(adapter, post(server.url(&path), "a"), how());
        // The server sees the end of a request somewhat later.
        thread::sleep(Duration::from_millis(5));
        outcomes.push((path, outcome, begun.load(Ordering::SeqCst) > before));
    }
    // The first request of each connection is answered.
    assert!(outcomes.iter().filter(|(_, outcome, _)| outcome.is_ok()).count() >= 50);
    let lines: Vec<_> = server.requests().into_iter().map(|request| request.line).collect();
    for (path, outcome, was_begun) in outcomes {
        let line = format!("POST {path} HTTP/1.1");
        let received = lines.iter().filter(|other| **other == line).count();
        match outcome.map_err(|error| error.phase) {
            Ok(_) => assert_eq!(received, 1, "{path}"),
            Err(Phase::NotSent) => assert_eq!((received, was_begun), (0, false), "{path}"),
            Err(Phase::MaybeSent | Phase::Truncated) => assert!(received <= 1, "{path}"),
            Err(phase) => panic!("{path}: {phase:?}"),
        }
    }
}

/// Bytes that a server sends without a request, behind a reply or later, are not the reply to the next request.
pub fn a_reply_without_a_request_is_not_that_of_the_next(adapter: &impl Adapter) {
    const STRAY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray";
    for is_late in [false, true] {
        let strays = Arc::new(AtomicUsize::new(0));
        let sent = Arc::clone(&strays);
        let server = Server::start(move |mut peer| {
            while let Some(request) = peer.receive() {
                let body = String::from_utf8(request.body).unwrap();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                peer.send(&format!("{head}{body}{}", if is_late { "" } else { STRAY }));
                if is_late {
                    peer.wait(20);
                    peer.send(STRAY);
                }
                sent.fetch_add(1, Ordering::SeqCst);
            }
        });
        for (body, count) in [("one", 1), ("two", 2), ("three", 3)] {
            let reply = send(adapter, post(server.url("/"), body), how()).unwrap();
            assert_eq!(reply.body(), body);
            while strays.load(Ordering::SeqCst) < count {
                thread::sleep(Duration::from_millis(5));
            }
            // The transport may see them shortly after they were sent.
            thread::sleep(Duration::from_millis(100));
        }
    }
}
