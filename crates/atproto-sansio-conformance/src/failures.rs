//! How far a request got that brought no reply.

use atproto_sansio::Phase;

use crate::adapter::{Adapter, send};
use crate::requests::{get, how, post};
use crate::server::{Server, nobody};

/// Where nobody listens, nobody has seen the request.
pub fn a_refused_connection_was_not_sent(adapter: &impl Adapter) {
    let url = format!("http://{}/?secret", nobody().unwrap());
    let error = send(adapter, post(url, "hidden"), how()).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent, "{error}");
    assert!(!error.detail.contains("secret") && !error.detail.contains("hidden"));
}

/// Where there is no address, nobody has seen the request.
pub fn an_unknown_name_was_not_sent(adapter: &impl Adapter) {
    let error = send(adapter, get("http://nobody.invalid/".to_owned()), how()).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent, "{error}");
}

/// A server that says nothing may have done what it was asked to.
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

/// A reply that is not whole is not a reply.
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
