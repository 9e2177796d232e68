//! Scenarios of servers that answer before they have read the whole request.

use std::time::{Duration, Instant};

use atproto_sansio::Body;
use http::Request;

use crate::adapter::{Adapter, send};
use crate::requests::{OK, how, post};
use crate::server::{Peer, Server};

/// The end of a connection after an early answer.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a connection has no other end")]
pub enum Then {
    /// The server closes the connection although bytes of the request are unread. The network
    /// reports a reset.
    Close,
    /// The server keeps the connection, and reads no further.
    ReadNoFurther,
}

/// If the server answers and closes the connection before it has read the whole request, the answer
/// is the reply: it may carry the nonce without which no request succeeds.
pub fn an_answer_before_the_end_of_the_request_is_not_lost(adapter: &impl Adapter) {
    // Rule E-39
    is_answered_early(adapter, Then::Close);
}

/// If the server answers early and reads no further, the reply does not wait for the rest of the
/// request.
pub fn a_server_that_answers_early_and_reads_no_further_is_heard(adapter: &impl Adapter) {
    // Rule E-39
    is_answered_early(adapter, Then::ReadNoFurther);
}

/// Answers `401` with a nonce after the first 64 KiB of the request.
pub fn answer_early(mut peer: Peer, then: Then) {
    // The interim answer is no reply, however early it comes.
    if !peer.skip(64 * 1024) || !peer.send("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n") {
        return;
    }
    // The client has filled the buffers of the connection, and waits.
    peer.wait(300);
    peer.send("HTTP/1.1 401 Unauthorized\r\ndpop-nonce: n-1\r\ncontent-length: 3\r\n\r\nno!");
    match then {
        Then::Close => {}
        Then::ReadNoFurther => peer.wait(8000),
    }
}

/// A `POST` of five megabytes.
pub fn large(url: String) -> Request<Body> {
    Request::post(url).body(Body::Bytes(vec![7; LARGE].into())).unwrap()
}

fn is_answered_early(adapter: &impl Adapter, then: Then) {
    let server = Server::start(move |peer| answer_early(peer, then));
    let begin = Instant::now();
    let reply = send(adapter, large(server.url("/")), how()).unwrap();
    assert_eq!((reply.status().as_u16(), &reply.body()[..]), (401, &b"no!"[..]));
    assert_eq!(reply.headers()["dpop-nonce"], "n-1");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    // The connection is not used for another request.
    send(adapter, large(server.url("/")), how()).unwrap();
    assert_eq!(server.connections(), 2);
    let other = Server::replying(OK);
    send(adapter, post(other.url("/"), "text"), how()).unwrap();
}

/// Size of a request that does not fit into the buffers of a connection.
pub const LARGE: usize = 5_000_000;
