//! Replies that are too large, and calls that take too long.

use std::thread;
use std::time::{Duration, Instant};

use atproto_sansio::{Answer, How, Phase, UnixTime};

use crate::adapter::{Adapter, send};
use crate::requests::{OK, get, how};
use crate::server::Server;

/// A body that says it is too large is not waited for.
pub fn a_body_is_limited_by_its_declared_length(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n");
        // The body never comes: the length is enough to refuse it.
        peer.wait_for_end();
    });
    let begin = Instant::now();
    let error = send(adapter, get(server.url("/")), how()).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge);
    assert!(begin.elapsed() < Duration::from_secs(5));
}

/// A body that says nothing is given up when it is too large.
pub fn a_body_is_limited_while_it_streams(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while peer.send("5\r\nabcde\r\n") {}
    });
    let error = send(adapter, get(server.url("/")), how()).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge, "{error}");
}

/// The limit is the largest size that is allowed.
pub fn a_body_may_be_as_large_as_the_limit(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
        peer.send("3\r\nabc\r\n");
        peer.send("2\r\nde\r\n0\r\n\r\n");
    });
    let limited = |max| How { answer: Answer::Buffered(max), ..how() };
    assert_eq!(send(adapter, get(server.url("/")), limited(5)).unwrap().body(), "abcde");
    let error = send(adapter, get(server.url("/")), limited(4)).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge);
}

/// The head of a reply has a limit too, whichever.
pub fn an_endless_head_is_refused(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\n");
        while peer.send("x-more: and more\r\n") {}
    });
    let error = send(adapter, get(server.url("/")), how()).unwrap_err();
    assert!(matches!(error.phase, Phase::TooLarge | Phase::MaybeSent), "{error}");
}

/// The time of a call is for all of it: head and body, however they trickle in.
pub fn a_slow_drip_ends_with_the_time_of_the_call(adapter: &impl Adapter) {
    // Rule J-22
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n";
    for fast in [0, head.len()] {
        let server = Server::start(move |mut peer| {
            peer.receive();
            peer.send(&head[..fast]);
            for byte in head[fast..].chars().chain(std::iter::repeat_n('x', 900)) {
                thread::sleep(Duration::from_millis(20));
                if !peer.send(byte.encode_utf8(&mut [0; 4])) {
                    return;
                }
            }
        });
        let begin = Instant::now();
        let hasty = How { timeout: Duration::from_millis(400), ..how() };
        let error = send(adapter, get(server.url("/")), hasty).unwrap_err();
        assert_eq!(error.phase, Phase::TimedOut, "{error}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    }
}

/// What must begin by some time does not begin after it.
pub fn a_call_that_comes_too_late_is_not_sent(adapter: &impl Adapter) {
    let server = Server::replying(OK);
    let late = How { start_by: Some(UnixTime::from_secs(1_000_000_000)), ..how() };
    let error = send(adapter, get(server.url("/")), late).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent);
    assert_eq!(server.connections(), 0);
    let early = How { start_by: Some(UnixTime::from_secs(1 << 40)), ..how() };
    send(adapter, get(server.url("/")), early).unwrap();
}
