//! Scenarios of one request and its reply: headers, status, methods and bodies.

use atproto_sansio::Body;
use http::{Method, Request};

use crate::adapter::{Adapter, send};
use crate::requests::{OK, get, how, post};
use crate::server::Server;

/// All headers of a request are sent unchanged, repeated ones too. Besides `Host` and
/// `Content-Length`, the transport may add only `Accept: */*`.
pub fn every_header_of_a_request_is_sent(adapter: &impl Adapter) {
    let server = Server::replying(OK);
    let request = Request::post(server.url("/path?query=1"))
        .header("dpop", "a.b.c")
        .header("x-twice", "one")
        .header("x-twice", "two, three")
        .header("user-agent", "mine")
        .body(Body::Bytes("text".into()))
        .unwrap();
    send(adapter, request, how()).unwrap();
    let received = &server.requests()[0];
    assert_eq!(received.line, "POST /path?query=1 HTTP/1.1");
    assert_eq!(received.all("dpop"), ["a.b.c"]);
    assert_eq!(received.all("x-twice"), ["one", "two, three"]);
    assert_eq!(received.all("user-agent"), ["mine"]);
    assert_eq!(received.all("host"), [server.address.to_string()]);
    assert_eq!(received.all("content-length"), ["4"]);
    assert_eq!(received.body, b"text");
    // Rule J-32. An `Expect: 100-continue` is not allowed either.
    let allowed = ["dpop", "x-twice", "user-agent", "host", "content-length"];
    let mut more = received.headers.iter().filter(|(name, _)| !allowed.contains(&name.as_str()));
    // `Accept: */*` has the same meaning as no `Accept`, and `Connection: close` is the truth about
    // a transport that keeps no connection.
    let tolerated = |name: &str, value: &str| {
        (name == "accept" && value == "*/*")
            || (name == "connection" && value == "close" && !adapter.keeps_connections())
    };
    let added = more.find(|(name, value)| !tolerated(name, value));
    assert_eq!(added, None, "the transport added this header");
}

/// All headers of a reply are returned, repeated ones too, and cookies are not stored.
pub fn every_header_of_a_reply_is_handed_back(adapter: &impl Adapter) {
    let server = Server::replying(
        "HTTP/1.1 400 Bad Request\r\nDPoP-Nonce: n\r\nx-twice: one\r\nX-Twice: two\r\n\
         Content-Length: 3\r\nset-cookie: a=b\r\n\r\nno!",
    );
    for _ in 0..2 {
        let reply = send(adapter, get(server.url("/")), how()).unwrap();
        assert_eq!(reply.status(), 400);
        assert_eq!(reply.body(), "no!");
        let all = |name: &str| reply.headers().get_all(name).iter().cloned().collect::<Vec<_>>();
        assert_eq!(all("dpop-nonce"), ["n"]);
        assert_eq!(all("x-twice"), ["one", "two"]);
        assert_eq!(all("set-cookie"), ["a=b"]);
    }
    assert_eq!(server.requests()[1].header("cookie"), None);
}

/// A reply of any status is returned to the machine, and a `Location` is not followed.
pub fn any_status_is_a_reply_and_no_redirect_is_followed(adapter: &impl Adapter) {
    let target = Server::replying(OK);
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
            let reply = send(adapter, post(server.url("/"), body), how()).unwrap();
            assert_eq!(reply.status(), status);
            assert_eq!(reply.headers()["location"], location.as_str());
        }
        assert_eq!(server.requests().len(), 2);
    }
    assert_eq!(target.connections(), 0);
}

/// Requests of all methods are sent with and without a body, also methods outside of RFC 9110.
pub fn any_method_may_carry_a_body(adapter: &impl Adapter) {
    let server = Server::replying(OK);
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] {
        for body in ["", "text"] {
            let request = Request::builder()
                .method(Method::from_bytes(method.as_bytes()).unwrap())
                .uri(server.url("/"))
                .body(Body::Bytes(body.into()))
                .unwrap();
            send(adapter, request, how()).unwrap();
            let received = server.requests().pop().unwrap();
            assert!(received.line.starts_with(method), "{received:?}");
            assert_eq!(received.body, body.as_bytes());
            assert_eq!(received.header("transfer-encoding"), None);
        }
    }
}

/// The `Content-Length` of a reply to `HEAD` declares a body that is never sent, so the size limit
/// does not apply to it.
pub fn a_reply_to_head_has_no_body(adapter: &impl Adapter) {
    let server = Server::replying("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n");
    let request = Request::head(server.url("/")).body(Body::default()).unwrap();
    let reply = send(adapter, request, how()).unwrap();
    assert_eq!(
        (reply.headers()["content-length"].as_bytes(), reply.body().len()),
        (&b"5000"[..], 0)
    );
}

/// The body of an HTTP/1.0 reply without a length is complete when the connection closes.
pub fn a_body_without_a_length_ends_with_the_connection(adapter: &impl Adapter) {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.send("HTTP/1.0 200 OK\r\n\r\nall of it");
    });
    let reply = send(adapter, get(server.url("/")), how()).unwrap();
    assert_eq!(reply.body(), "all of it");
}
