//! What any adapter must do, as scenarios over plain HTTP/1.1 on this machine.

use std::thread;
use std::time::{Duration, Instant};

use atproto_sansio::{Answer, Body, How, Phase, Reach, UnixTime};
use bytes::Bytes;
use http::{Method, Request};

use crate::adapter::{Adapter, get, how, post};
use crate::server::{Server, nobody};

pub(crate) fn every_header_of_a_request_is_sent(adapter: &impl Adapter) {
    let server = Server::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let request = Request::post(server.url("/path?query=1"))
        .header("dpop", "a.b.c")
        .header("x-twice", "one")
        .header("x-twice", "two, three")
        .header("user-agent", "mine")
        .body(Body::Bytes("text".into()))
        .unwrap();
    adapter.send(request, how()).unwrap();
    let received = &server.requests()[0];
    assert_eq!(received.line, "POST /path?query=1 HTTP/1.1");
    assert_eq!(received.all("dpop"), ["a.b.c"]);
    assert_eq!(received.all("x-twice"), ["one", "two, three"]);
    assert_eq!(received.all("user-agent"), ["mine"]);
    assert_eq!(received.all("host"), [server.address.to_string()]);
    assert_eq!(received.all("content-length"), ["4"]);
    assert_eq!(received.body, b"text");
    // REQUIREMENTS J-32, and no waiting for a permission to send the body
    let allowed = ["dpop", "x-twice", "user-agent", "host", "content-length"];
    let mut more = received.headers.iter().filter(|(name, _)| !allowed.contains(&name.as_str()));
    // This one says no more than its absence.
    assert!(more.all(|(name, value)| name == "accept" && value == "*/*"), "{received:?}");
}

pub(crate) fn every_header_of_a_reply_is_handed_back(adapter: &impl Adapter) {
    let server = Server::replying(
        "HTTP/1.1 400 Bad Request\r\nDPoP-Nonce: n\r\nx-twice: one\r\nX-Twice: two\r\n\
         Content-Length: 3\r\nset-cookie: a=b\r\n\r\nno!",
    );
    for _ in 0..2 {
        let reply = adapter.send(get(server.url("/")), how()).unwrap();
        assert_eq!(reply.status(), 400);
        assert_eq!(reply.body(), "no!");
        let all = |name: &str| reply.headers().get_all(name).iter().cloned().collect::<Vec<_>>();
        assert_eq!(all("dpop-nonce"), ["n"]);
        assert_eq!(all("x-twice"), ["one", "two"]);
        assert_eq!(all("set-cookie"), ["a=b"]);
    }
    assert_eq!(server.requests()[1].header("cookie"), None);
}

pub(crate) fn any_status_is_a_reply_and_no_redirect_is_followed(adapter: &impl Adapter) {
    let target = Server::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let location = target.url("/");
    for status in [200, 201, 204, 299, 301, 302, 303, 304, 307, 308, 400, 401, 404, 500, 503, 599] {
        let named = location.clone();
        let server = Server::start(move |mut peer| {
            let length = if status == 204 || status == 304 { "" } else { "content-length: 0\r\n" };
            let head = format!("HTTP/1.1 {status} X\r\nlocation: {named}\r\n{length}\r\n");
            while peer.receive().is_some() {
                peer.send(&head);
            }
        });
        for body in ["", "text"] {
            let reply = adapter.send(post(server.url("/"), body), how()).unwrap();
            assert_eq!(reply.status(), status);
            assert_eq!(reply.headers()["location"], location.as_str());
        }
        assert_eq!(server.requests().len(), 2);
    }
    assert_eq!(target.connections(), 0);
}

pub(crate) fn any_method_may_carry_a_body(adapter: &impl Adapter) {
    let server = Server::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] {
        for body in ["", "text"] {
            let request = Request::builder()
                .method(Method::from_bytes(method.as_bytes()).unwrap())
                .uri(server.url("/"))
                .body(Body::Bytes(body.into()))
                .unwrap();
            adapter.send(request, how()).unwrap();
            let received = server.requests().pop().unwrap();
            assert!(received.line.starts_with(method), "{received:?}");
            assert_eq!(received.body, body.as_bytes());
            assert_eq!(received.header("transfer-encoding"), None);
        }
    }
}

pub(crate) fn a_body_is_limited_by_its_declared_length(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n");
        // The body never comes: the length is enough to refuse it.
        peer.wait_for_end();
    });
    let begin = Instant::now();
    let error = adapter.send(get(server.url("/")), how()).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge);
    assert!(begin.elapsed() < Duration::from_secs(1));
}

pub(crate) fn a_body_is_limited_while_it_streams(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while peer.send("5\r\nabcde\r\n") {}
    });
    let error = adapter.send(get(server.url("/")), how()).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge, "{error}");
}

pub(crate) fn a_body_may_be_as_large_as_the_limit(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
        peer.send("3\r\nabc\r\n");
        peer.send("2\r\nde\r\n0\r\n\r\n");
    });
    let limited = |max| How { answer: Answer::Buffered(max), ..how() };
    assert_eq!(adapter.send(get(server.url("/")), limited(5)).unwrap().body(), "abcde");
    let error = adapter.send(get(server.url("/")), limited(4)).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge);
}

pub(crate) fn an_endless_head_is_refused(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\n");
        while peer.send("x-more: and more\r\n") {}
    });
    let error = adapter.send(get(server.url("/")), how()).unwrap_err();
    assert!(matches!(error.phase, Phase::TooLarge | Phase::MaybeSent), "{error}");
}

pub(crate) fn a_slow_drip_ends_with_the_time_of_the_call(adapter: &impl Adapter) {
    // REQUIREMENTS J-22
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
        let error = adapter.send(get(server.url("/")), hasty).unwrap_err();
        assert_eq!(error.phase, Phase::TimedOut, "{error}");
        assert!(begin.elapsed() < Duration::from_millis(900), "{:?}", begin.elapsed());
    }
}

pub(crate) fn a_refused_connection_was_not_sent(adapter: &impl Adapter) {
    let url = format!("http://{}/?secret", nobody().unwrap());
    let error = adapter.send(post(url, "hidden"), how()).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent, "{error}");
    assert!(!error.detail.contains("secret") && !error.detail.contains("hidden"));
}

pub(crate) fn an_unknown_name_was_not_sent(adapter: &impl Adapter) {
    let error = adapter.send(get("http://nobody.invalid/".to_owned()), how()).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent, "{error}");
}

pub(crate) fn a_connection_that_closes_without_an_answer_may_have_been_sent(
    adapter: &impl Adapter,
) {
    for begun in ["", "HTTP/1.1 200 O", "this is not HTTP\r\n\r\n"] {
        let server = Server::start(move |mut peer| {
            peer.receive();
            peer.send(begun);
        });
        let error = adapter.send(post(server.url("/?secret"), "hidden"), how()).unwrap_err();
        assert_eq!(error.phase, Phase::MaybeSent, "{error}");
        assert!(!error.detail.contains("secret") && !error.detail.contains("hidden"));
        assert_eq!(server.requests().len(), 1);
    }
}

pub(crate) fn a_body_that_breaks_off_is_truncated(adapter: &impl Adapter) {
    for reply in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    ] {
        let server = Server::start(move |mut peer| {
            peer.receive();
            peer.send(reply);
        });
        let error = adapter.send(get(server.url("/")), how()).unwrap_err();
        assert_eq!(error.phase, Phase::Truncated, "{reply:?}: {error}");
    }
}

pub(crate) fn a_body_without_a_length_ends_with_the_connection(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.0 200 OK\r\n\r\nall of it");
    });
    let reply = adapter.send(get(server.url("/")), how()).unwrap();
    assert_eq!(reply.body(), "all of it");
}

pub(crate) fn a_request_on_a_connection_that_dies_is_sent_once(adapter: &impl Adapter) {
    // REQUIREMENTS E-12: the first request is answered, the second is read and then dropped.
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        peer.receive();
    });
    adapter.send(post(server.url("/1"), "a"), how()).unwrap();
    // A connection may become idle a little after its reply.
    thread::sleep(Duration::from_millis(100));
    let error = adapter.send(post(server.url("/2"), "b"), how()).unwrap_err();
    assert_eq!(error.phase, Phase::MaybeSent, "{error}");
    thread::sleep(Duration::from_millis(100));
    assert_eq!(server.requests().len(), 2);
    assert_eq!(server.connections(), 1, "the connection was kept");
}

pub(crate) fn a_connection_that_was_closed_while_idle_is_not_used(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    for count in 1..4 {
        adapter.send(post(server.url("/"), "a"), how()).unwrap();
        assert_eq!((server.requests().len(), server.connections()), (count, count));
        thread::sleep(Duration::from_millis(100));
    }
}

pub(crate) fn a_call_that_comes_too_late_is_not_sent(adapter: &impl Adapter) {
    let server = Server::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let late = How { start_by: Some(UnixTime::from_secs(1_000_000_000)), ..how() };
    let error = adapter.send(get(server.url("/")), late).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent);
    assert_eq!(server.connections(), 0);
    let early = How { start_by: Some(UnixTime::from_secs(1 << 40)), ..how() };
    adapter.send(get(server.url("/")), early).unwrap();
}

pub(crate) fn a_reply_to_head_has_no_body(adapter: &impl Adapter) {
    let server = Server::replying("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n");
    let request = Request::head(server.url("/")).body(Body::Bytes(Bytes::new())).unwrap();
    let reply = adapter.send(request, how()).unwrap();
    assert_eq!(
        (reply.headers()["content-length"].as_bytes(), reply.body().len()),
        (&b"5000"[..], 0)
    );
}

pub(crate) fn a_development_call_is_blocked(adapter: &impl Adapter) {
    let server = Server::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let how = How { reach: Reach::Development, ..how() };
    let error = adapter.send(get(server.url("/")), how).unwrap_err();
    assert!(matches!(error.phase, Phase::Blocked(_)), "{error}");
    assert_eq!(server.connections(), 0);
}
