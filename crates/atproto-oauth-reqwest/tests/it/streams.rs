//! Bodies that the driver holds for a machine: attached and streamed bodies.

use std::io;
use std::sync::mpsc;
use std::task::Poll;
use std::time::{Duration, Instant};

use atproto_oauth_reqwest::{AttachedBody, Driver, StreamedBody};
use atproto_sansio::{Answer, Body, How, Phase, TransportError};
use atproto_sansio_conformance::early::{LARGE, Then, answer_early};
use atproto_sansio_conformance::{OK, Once, Outcome, Server, Twice, get, how};
use bytes::Bytes;
use http::{Method, Request};

use crate::adapter::{block_on, driver};

fn streamed() -> How {
    How { answer: Answer::Streamed { errors: 10 }, ..how() }
}

fn attached(url: String) -> Request<Body> {
    Request::post(url).body(Body::Attached).unwrap()
}

fn pieces(
    pieces: impl IntoIterator<Item = Bytes, IntoIter: Send + 'static>,
    length: Option<u64>,
) -> AttachedBody {
    let mut pieces = pieces.into_iter();
    AttachedBody::from_poll(move |_| Poll::Ready(pieces.next().map(Ok)), length)
}

fn body(text: &'static str, length: Option<u64>) -> AttachedBody {
    pieces([Bytes::new(), text.into()], length)
}

fn send(driver: &Driver, request: Request<Body>, body: AttachedBody) -> Outcome {
    block_on(driver.run_with_body(Once::new(request, how()), body))
}

/// Reads the stream to its end: all bytes, and the error if one ended it.
async fn read(stream: &mut StreamedBody) -> (Vec<u8>, Option<TransportError>) {
    let mut whole = Vec::new();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => whole.extend_from_slice(&piece),
            Err(error) => {
                assert!(stream.next().await.is_none());
                return (whole, Some(error));
            }
        }
    }
    (whole, None)
}

#[test]
fn a_2xx_reply_is_its_head_and_a_stream() {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 206 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n");
        for _ in 0..1000 {
            peer.send("5\r\nabcde\r\n");
        }
        peer.send("0\r\ntrailer: ignored\r\n\r\n");
    });
    let once = Once::new(get(server.url("/")), streamed());
    block_on(async {
        let (head, stream) = driver().run_streaming(once).await.unwrap();
        assert_eq!((head.status().as_u16(), head.body().len()), (206, 0));
        assert_eq!(head.headers()["x"], "y");
        let (whole, error) = read(&mut stream.unwrap()).await;
        assert_eq!((whole, error), ("abcde".repeat(1000).into_bytes(), None));
    });
}

#[test]
fn a_stream_arrives_piece_by_piece() {
    // 10 MB, far more than the limit. The server sends each piece only after the previous one
    // arrived.
    let (sender, receiver) = mpsc::channel();
    let receiver = std::sync::Mutex::new(receiver);
    let piece = "x".repeat(100_000);
    let expected = piece.len();
    let server = Server::start(move |mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n");
        for _ in 0..100 {
            receiver.lock().unwrap().recv_timeout(Duration::from_secs(5)).unwrap();
            peer.send(&piece);
        }
    });
    let how = How { timeout: Duration::from_secs(20), ..streamed() };
    let once = Once::new(get(server.url("/")), how);
    block_on(async {
        let (_, stream) = driver().run_streaming(once).await.unwrap();
        let mut stream = stream.unwrap();
        for _ in 0..100 {
            sender.send(()).unwrap();
            let mut got = 0;
            while got < expected {
                got += stream.next().await.unwrap().unwrap().len();
            }
            assert_eq!(got, expected);
        }
        assert!(stream.next().await.is_none());
    });
}

#[test]
fn an_unread_stream_is_not_received() {
    let (sender, receiver) = mpsc::channel();
    let server = Server::start(move |mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        let piece = "x".repeat(1 << 20);
        while peer.send(&piece) {
            sender.send("more").unwrap();
        }
        sender.send("gone").unwrap();
    });
    let how = How { timeout: Duration::from_secs(20), ..streamed() };
    let once = Once::new(get(server.url("/")), how);
    block_on(async {
        let (_, stream) = driver().run_streaming(once).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(
            receiver.try_iter().count() < 32,
            "the driver received more than the socket buffers hold"
        );
        drop(stream);
    });
    // The server notices the closed connection well before its own timeout of 10 s.
    let mut events = std::iter::from_fn(|| receiver.recv_timeout(Duration::from_secs(3)).ok());
    assert!(events.any(|event| event == "gone"));
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
            block_on(driver().run_streaming(Once::new(get(server.url("/")), streamed()))).unwrap();
        assert_eq!(head.body().as_ref(), b"0123456789");
        assert!(stream.is_none());
    }
}

#[test]
fn a_stream_that_breaks_off_or_takes_too_long_ends_in_an_error() {
    for (closes, phase) in [(true, Phase::Truncated), (false, Phase::TimedOut)] {
        let server = Server::start(move |mut peer| {
            peer.receive();
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome");
            if !closes {
                peer.wait_for_end();
            }
        });
        let how = How { timeout: Duration::from_millis(400), ..streamed() };
        block_on(async {
            let once = Once::new(get(server.url("/")), how);
            let (_, stream) = driver().run_streaming(once).await.unwrap();
            let (whole, error) = read(&mut stream.unwrap()).await;
            assert_eq!((whole, error.unwrap().phase), (b"some".to_vec(), phase));
        });
    }
}

#[test]
fn an_attached_body_is_sent_with_or_without_its_length() {
    let server = Server::replying(OK);
    let request = || attached(server.url("/"));
    for (length, framing) in
        [(Some(4), ("content-length", "4")), (None, ("transfer-encoding", "chunked"))]
    {
        send(&driver(), request(), body("text", length)).unwrap();
        let received = server.requests().pop().unwrap();
        assert_eq!(received.body, b"text");
        assert_eq!(received.header(framing.0), Some(framing.1), "{received:?}");
    }
    send(&driver(), request(), body("longer than it says", Some(6))).unwrap();
    assert_eq!(server.requests().pop().unwrap().body, b"longer");
    send(&driver(), request(), body("ignored", Some(0))).unwrap();
    assert_eq!(server.requests().pop().unwrap().header("content-length"), Some("0"));
}

#[test]
fn a_large_attached_body_arrives_whole() {
    let server = Server::replying(OK);
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for length in [None, Some(large.len() as u64)] {
        let how = How { timeout: Duration::from_secs(20), ..how() };
        let once = Once::new(attached(server.url("/")), how);
        let chunks: Vec<Bytes> = large.chunks(70_001).map(Bytes::copy_from_slice).collect();
        block_on(driver().run_with_body(once, pieces(chunks, length))).unwrap();
        assert!(server.requests().pop().unwrap().body == large);
    }
}

#[test]
fn an_attached_body_is_read_from_an_async_reader() {
    let server = Server::replying(OK);
    let text = "0123456789".repeat(20_000);
    for (length, expected) in [(None, text.len()), (Some(150_000), 150_000)] {
        let reader = io::Cursor::new(text.clone().into_bytes());
        send(&driver(), attached(server.url("/")), AttachedBody::new(reader, length)).unwrap();
        let received = server.requests().pop().unwrap().body;
        assert_eq!((received.len(), &*received), (expected, &text.as_bytes()[..expected]));
    }
}

#[test]
fn an_attached_body_may_wait_for_its_pieces() {
    let server = Server::replying(OK);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let body = AttachedBody::from_poll(move |cx| receiver.poll_recv(cx).map(|p| p.map(Ok)), None);
    block_on(async {
        let run =
            tokio::spawn(driver().run_with_body(Once::new(attached(server.url("/")), how()), body));
        for text in ["one ", "two ", "three"] {
            tokio::time::sleep(Duration::from_millis(50)).await;
            sender.send(Bytes::from(text)).await.unwrap();
        }
        drop(sender);
        run.await.unwrap().unwrap();
    });
    assert_eq!(server.requests()[0].body, b"one two three");
}

#[test]
fn an_attached_body_is_sent_once() {
    let server = Server::replying(OK);
    let once = || Once::new(attached(server.url("/")), how());
    let twice = Twice::new(once(), once());
    let run = driver().run_with_body(twice, body("text", None));
    let (first, second) = block_on(run).unwrap();
    first.unwrap();
    let error = second.unwrap_err();
    assert_eq!(error.phase, Phase::NotSent);
    assert!(error.detail.contains("already"), "{error}");
    assert_eq!(block_on(driver().run(once())).unwrap_err().phase, Phase::NotSent);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_attached_body_that_is_too_short_is_an_error_at_once() {
    let server = Server::start(|mut peer| {
        peer.receive();
    });
    let error = send(&driver(), attached(server.url("/")), body("text", Some(5))).unwrap_err();
    assert_eq!(error.phase, Phase::MaybeSent, "{error}");
    assert!(error.detail.contains("shorter"), "{error}");
}

#[test]
fn the_error_of_an_attached_body_is_reported() {
    let server = Server::start(|mut peer| {
        peer.receive();
    });
    let failing = AttachedBody::from_poll(
        |_| Poll::Ready(Some(Err(io::Error::other("the disk failed")))),
        None,
    );
    let error = send(&driver(), attached(server.url("/")), failing).unwrap_err();
    assert_eq!(error.phase, Phase::MaybeSent, "{error}");
    assert!(error.detail.contains("the disk failed"), "{error}");
}

#[test]
fn a_peer_that_does_not_read_is_bounded_by_the_time_of_the_call() {
    let server = Server::start(|_peer| std::thread::sleep(Duration::from_secs(20)));
    let request = Request::builder().method(Method::PUT).uri(server.url("/"));
    let how = How { timeout: Duration::from_millis(500), ..how() };
    let once = Once::new(request.body(Body::Attached).unwrap(), how);
    let endless = pieces(std::iter::repeat(Bytes::from_static(&[0; 1 << 16])), None);
    let begin = Instant::now();
    let error = block_on(driver().run_with_body(once, endless)).unwrap_err();
    assert_eq!(error.phase, Phase::TimedOut, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn an_early_answer_to_an_attached_body_is_not_lost() {
    // Rule E-39
    for then in [Then::Close, Then::ReadNoFurther] {
        for length in [Some(LARGE as u64), Some(u64::from(u32::MAX)), None] {
            let server = Server::start(move |peer| answer_early(peer, then));
            let endless = pieces(std::iter::repeat(Bytes::from_static(&[7; 1 << 16])), length);
            let begin = Instant::now();
            let reply = send(&driver(), attached(server.url("/")), endless).unwrap();
            assert_eq!(reply.status(), 401, "{then:?} {length:?}");
            assert_eq!(reply.headers()["dpop-nonce"], "n-1");
            assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        }
    }
}
