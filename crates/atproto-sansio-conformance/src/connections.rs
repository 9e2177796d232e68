//! Scenarios of connections that are kept for further requests.

use std::sync::atomic::{AtomicBool, Ordering};
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
