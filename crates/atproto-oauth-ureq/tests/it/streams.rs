//! Bodies that the driver holds for a machine: attached and streamed bodies.

use std::io::{Cursor, ErrorKind, Read};
use std::thread;
use std::time::Duration;

use atproto_oauth_ureq::AttachedBody;
use atproto_sansio::{Answer, Body, How, Phase};
use atproto_sansio_conformance::early::{LARGE, Then, answer_early};
use atproto_sansio_conformance::{OK, Once, Server, Twice, get, how};
use http::{Method, Request};

use crate::adapter::{builder, driver};

fn streamed() -> How {
    How { answer: Answer::Streamed { errors: 10 }, ..how() }
}

fn attached(url: String) -> Request<Body> {
    Request::post(url).body(Body::Attached).unwrap()
}

fn body(text: &'static str, length: Option<u64>) -> AttachedBody<'static> {
    AttachedBody::new(text.as_bytes(), length)
}

#[test]
fn a_2xx_reply_is_its_head_and_a_stream() {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 206 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n");
        for _ in 0..1000 {
            peer.send("5\r\nabcde\r\n");
        }
        peer.send("0\r\n\r\n");
    });
    let once = Once::new(get(server.url("/")), streamed());
    let (head, stream) = driver().run_streaming(once).unwrap();
    assert_eq!((head.status().as_u16(), head.body().len()), (206, 0));
    assert_eq!(head.headers()["x"], "y");
    let mut whole = String::new();
    stream.unwrap().read_to_string(&mut whole).unwrap();
    assert_eq!(whole, "abcde".repeat(1000));
}

#[test]
fn a_streamed_refusal_is_buffered_up_to_its_limit() {
    for reply in [
        "HTTP/1.1 401 No\r\ncontent-length: 10\r\n\r\n0123456789",
        "HTTP/1.1 302 No\r\ncontent-length: 10\r\n\r\n0123456789",
        "HTTP/1.1 401 No\r\ncontent-length: 11\r\n\r\n0123456789x",
    ] {
        let server = Server::replying(reply);
        let (head, stream) =
            driver().run_streaming(Once::new(get(server.url("/")), streamed())).unwrap();
        assert_eq!(head.body().as_ref(), b"0123456789");
        assert!(stream.is_none());
    }
}

#[test]
fn a_stream_that_breaks_off_or_takes_too_long_ends_in_an_error() {
    for (closes, kind) in [(true, ErrorKind::UnexpectedEof), (false, ErrorKind::TimedOut)] {
        let server = Server::start(move |mut peer| {
            peer.receive();
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome");
            if !closes {
                peer.wait_for_end();
            }
        });
        let how = How { timeout: Duration::from_millis(400), ..streamed() };
        let (_, stream) = driver().run_streaming(Once::new(get(server.url("/")), how)).unwrap();
        let mut whole = Vec::new();
        let error = stream.unwrap().read_to_end(&mut whole).unwrap_err();
        assert_eq!((error.kind(), whole.as_slice()), (kind, &b"some"[..]));
    }
}

#[test]
fn an_attached_body_is_sent_with_or_without_its_length() {
    let server = Server::replying(OK);
    for (length, framing) in
        [(Some(4), ("content-length", "4")), (None, ("transfer-encoding", "chunked"))]
    {
        let once = Once::new(attached(server.url("/")), how());
        driver().run_with_body(once, body("text", length)).unwrap();
        let received = server.requests().pop().unwrap();
        assert_eq!(received.body, b"text");
        assert_eq!(received.header(framing.0), Some(framing.1), "{received:?}");
    }
    let once = Once::new(attached(server.url("/")), how());
    driver().run_with_body(once, body("longer than it says", Some(6))).unwrap();
    assert_eq!(server.requests().pop().unwrap().body, b"longer");
    let once = Once::new(attached(server.url("/")), how());
    driver().run_with_body(once, body("ignored", Some(0))).unwrap();
    assert_eq!(server.requests().pop().unwrap().header("content-length"), Some("0"));
}

#[test]
fn a_large_attached_body_arrives_whole() {
    let server = Server::replying(OK);
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for length in [None, Some(large.len() as u64)] {
        let once =
            Once::new(attached(server.url("/")), How { timeout: Duration::from_secs(20), ..how() });
        let reader = Box::new(Cursor::new(&large));
        driver().run_with_body(once, AttachedBody::new(reader, length)).unwrap();
        assert!(server.requests().pop().unwrap().body == large);
    }
}

#[test]
fn an_attached_body_is_sent_once() {
    let server = Server::replying(OK);
    let once = || Once::new(attached(server.url("/")), how());
    let twice = Twice::new(once(), once());
    let (first, second) = driver().run_with_body(twice, body("text", None)).unwrap();
    first.unwrap();
    let error = second.unwrap_err();
    assert_eq!(error.phase, Phase::NotSent);
    assert!(error.detail.contains("already"), "{error}");
    assert_eq!(driver().run(once()).unwrap_err().phase, Phase::NotSent);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_attached_body_that_is_too_short_is_an_error_at_once() {
    let server = Server::start(|mut peer| {
        peer.receive();
    });
    let once = Once::new(attached(server.url("/")), how());
    let error = driver().run_with_body(once, body("text", Some(5))).unwrap_err();
    assert_eq!(error.phase, Phase::MaybeSent, "{error}");
    assert!(error.detail.contains("shorter"), "{error}");
}

#[test]
fn the_reader_of_a_body_may_itself_use_the_driver() {
    /// A reader that fetches its content from a URL with a driver of its own.
    struct Fetched(String, bool);
    impl Read for Fetched {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if std::mem::replace(&mut self.1, true) {
                return Ok(0);
            }
            let reply = driver().run(Once::new(get(self.0.clone()), how())).unwrap();
            // The failure of this request with `NotSent` must not reset the record that the outer
            // request was sent.
            let refused = get("http://nobody.invalid/".to_owned());
            let error = driver().run(Once::new(refused, how())).unwrap_err();
            assert_eq!(error.phase, Phase::NotSent);
            match reply.status().as_u16() {
                200 => reply.body().as_ref().read(buffer),
                _ => Err(ErrorKind::NotFound.into()),
            }
        }
    }
    for status in [200, 404] {
        let source = Server::start(move |mut peer| {
            peer.receive();
            peer.send(&format!("HTTP/1.1 {status} X\r\ncontent-length: 4\r\n\r\ntext"));
        });
        let target = Server::start(|mut peer| {
            peer.receive();
        });
        let once = Once::new(attached(target.url("/")), how());
        let body = Box::new(Fetched(source.url("/"), false));
        let body = AttachedBody::new(body, None);
        let error = driver().run_with_body(once, body).unwrap_err();
        assert_eq!(error.phase, Phase::MaybeSent, "{error}");
    }
}

#[test]
fn a_peer_that_does_not_read_is_bounded_by_the_time_of_the_call() {
    let server = Server::start(|_peer| thread::sleep(Duration::from_secs(20)));
    let request = Request::builder().method(Method::PUT).uri(server.url("/"));
    let how = How { timeout: Duration::from_millis(500), ..how() };
    let once = Once::new(request.body(Body::Attached).unwrap(), how);
    let endless = AttachedBody::new(std::io::repeat(0), None);
    let begin = std::time::Instant::now();
    let error = builder().build().run_with_body(once, endless).unwrap_err();
    assert_eq!(error.phase, Phase::TimedOut, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn an_early_answer_to_an_attached_body_is_not_lost() {
    // Rule E-39
    for then in [Then::Close, Then::ReadNoFurther] {
        for length in [Some(LARGE as u64), Some(u64::from(u32::MAX)), None] {
            let server = Server::start(move |peer| answer_early(peer, then));
            let once = Once::new(attached(server.url("/")), how());
            let endless = AttachedBody::new(std::io::repeat(7), length);
            let begin = std::time::Instant::now();
            let reply = driver().run_with_body(once, endless).unwrap();
            assert_eq!(reply.status(), 401, "{then:?} {length:?}");
            assert_eq!(reply.headers()["dpop-nonce"], "n-1");
            assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        }
    }
}
