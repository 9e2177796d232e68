//! Scenarios of failed requests: the phase of the error says how far the request got.

use atproto_sansio::Phase;

use crate::adapter::{Adapter, send};
use crate::requests::{get, how, post};
use crate::server::{Server, closed_port};

/// If the server refuses the connection, the phase is `NotSent`, and the error contains no query
/// and no body.
pub fn a_refused_connection_was_not_sent(adapter: &impl Adapter) {
    let url = format!("http://{}/?secret", closed_port().unwrap());
    let error = send(adapter, post(url, "hidden"), how()).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent, "{error}");
    assert!(!error.detail.contains("secret") && !error.detail.contains("hidden"));
}

/// If the host has no address, the phase is `NotSent`.
pub fn an_unknown_name_was_not_sent(adapter: &impl Adapter) {
    let error = send(adapter, get("http://nobody.invalid/".to_owned()), how()).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent, "{error}");
}

/// If the connection closes before the head of the reply, the phase is `MaybeSent`, because the
/// server may have processed the request.
pub fn a_connection_that_closes_without_an_answer_may_have_been_sent(adapter: &impl Adapter) {
    for begun in ["", "HTTP/1.1 200 O", "this is not HTTP\r\n\r\n"] {
        let server = Server::start(move |mut peer| {
            peer.receive();
            peer.send(begun);
        });
        let error = send(adapter, post(server.url("/?secret"), "hidden"), how()).unwrap_err();
        assert_eq!(error.phase, Phase::MaybeSent, "{error}");
        assert!(!error.detail.contains("secret") && !error.detail.contains("hidden"));
        assert_eq!(server.requests().len(), 1);
    }
}

/// If the body of a reply is incomplete or its framing is malformed, the phase is `Truncated`.
pub fn a_body_that_breaks_off_is_truncated(adapter: &impl Adapter) {
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
        let error = send(adapter, get(server.url("/")), how()).unwrap_err();
        assert_eq!(error.phase, Phase::Truncated, "{reply:?}: {error}");
    }
}
