//! Scenarios of size limits, timeouts and the latest start of a call.

use std::thread;
use std::time::{Duration, Instant};

use atproto_sansio::{Answer, How, HttpCall, Phase, UnixTime};

use crate::adapter::{Adapter, send, send_changed};
use crate::requests::{OK, get, how};
use crate::server::Server;

/// If the declared length of a body exceeds the limit, the call fails before the body arrives.
pub fn a_body_is_limited_by_its_declared_length(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n");
        // The server never sends the body, so the call can fail only because of the declared
        // length.
        peer.wait_for_end();
    });
    let begin = Instant::now();
    let error = send(adapter, get(server.url("/")), how()).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge);
    assert!(begin.elapsed() < Duration::from_secs(5));
}

/// If a body without a declared length exceeds the limit, the call fails while the body arrives.
pub fn a_body_is_limited_while_it_streams(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while peer.send("5\r\nabcde\r\n") {}
    });
    let error = send(adapter, get(server.url("/")), how()).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge, "{error}");
}

/// A body of exactly the limit is accepted, and one more byte is rejected.
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

/// A reply that is not 2xx and larger than its limit is cut, because its status decides. Its body may
/// have a declared length, be chunked, or end with the connection.
pub fn a_large_reply_that_is_not_2xx_is_cut(adapter: &impl Adapter) {
    let page = "x".repeat(5 * 1024);
    let chunk = format!("{:x}\r\n{page}\r\n0\r\n\r\n", page.len());
    for status in ["404 Not Found", "503 Service Unavailable", "302 Found"] {
        for framed in [
            format!("content-length: {}\r\n\r\n{page}", page.len()),
            format!("transfer-encoding: chunked\r\n\r\n{chunk}"),
            format!("connection: close\r\n\r\n{page}"),
        ] {
            let reply = format!("HTTP/1.1 {status}\r\n{framed}");
            let server = Server::start(move |mut peer| {
                peer.receive();
                peer.send(&reply);
            });
            let reply = send(adapter, get(server.url("/")), how()).unwrap();
            assert_eq!(&reply.status().as_str(), &&status[..3]);
            assert_eq!(reply.body(), &page[..1000]);
        }
    }
}

/// The head of a reply has a limit that the transport chooses.
pub fn an_endless_head_is_refused(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\n");
        let line = format!("x-more: {}\r\n", "and more".repeat(1000));
        while peer.send(&line) {}
    });
    let error = send(adapter, get(server.url("/")), how()).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge, "{error}");
}

/// A head that ends, but only after a hundred kilobytes, is too large, too.
pub fn a_large_head_is_refused(adapter: &impl Adapter) {
    // Rule J-23
    let server = Server::start(|mut peer| {
        peer.receive();
        let more = format!("x-more: {}\r\n", "x".repeat(10_000)).repeat(10);
        peer.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{more}\r\n"));
    });
    let error = send(adapter, get(server.url("/")), how()).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge, "{error}");
}

/// The number of headers of a reply has a limit that the transport chooses.
pub fn endless_headers_are_refused(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\n");
        while peer.send("x-more: and more\r\n") {}
    });
    let error = send(adapter, get(server.url("/")), how()).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge, "{error}");
}

/// The number of headers of a reply has a limit that the transport chooses: a thousand are too many,
/// and a hundred are not.
pub fn a_head_of_too_many_headers_is_too_large(adapter: &impl Adapter) {
    // Rule J-23
    let reply = |count| {
        let more = "x-more: and more\r\n".repeat(count);
        format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{more}\r\n")
    };
    let answered = |count| {
        let reply = reply(count);
        let server = Server::start(move |mut peer| {
            peer.receive();
            peer.send(&reply);
        });
        send(adapter, get(server.url("/")), how())
    };
    assert_eq!(answered(100).unwrap().headers().get_all("x-more").iter().count(), 100);
    let error = answered(1000).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge, "{error}");
}

/// Trailers have a limit that the transport chooses: a mebibyte is too large. The status of a reply
/// that is not 2xx decides also in this case.
pub fn endless_trailers_are_too_large(adapter: &impl Adapter) {
    // Rule J-23
    let answered = |status| {
        let server = Server::start(move |mut peer| {
            peer.receive();
            peer.send(&format!("HTTP/1.1 {status} X\r\ntransfer-encoding: chunked\r\n\r\n"));
            peer.send("4\r\ntext\r\n0\r\n");
            let long = format!("x-more: {}\r\n", "x".repeat(100));
            while peer.send(&long) {}
        });
        let begin = Instant::now();
        let outcome = send(adapter, get(server.url("/")), how());
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        outcome
    };
    let error = answered(200).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge, "{error}");
    assert_eq!(answered(404).unwrap().body(), "text");
}

/// The timeout covers the whole call: a head or body that arrives byte by byte does not extend it.
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

/// A call after its `start_by` time fails with `NotSent`, and no connection is made. The engine never
/// hands out such a call, but a driver may have waited since.
pub fn a_call_that_comes_too_late_is_not_sent(adapter: &impl Adapter) {
    let server = Server::replying(OK);
    let late = |call: &mut HttpCall| call.start_by = Some(UnixTime::from_secs(1_000_000_000));
    let error = send_changed(adapter, get(server.url("/")), how(), late).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent);
    assert_eq!(server.connections(), 0);
    let hurried = |call: &mut HttpCall| call.least_time = call.timeout + Duration::from_secs(1);
    let error = send_changed(adapter, get(server.url("/")), how(), hurried).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent);
    assert_eq!(server.requests().len(), 0);
    let early = How { start_by: Some(UnixTime::from_secs(1 << 40)), ..how() };
    send(adapter, get(server.url("/")), early).unwrap();
}
