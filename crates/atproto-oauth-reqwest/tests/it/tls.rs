//! TLS with a private certificate authority.

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use atproto_oauth_reqwest::{BadCertificate, Driver};
use atproto_sansio::{How, Phase};
use atproto_sansio_conformance::tls::{certificate, serve};
use atproto_sansio_conformance::{OK, Peer, Server, get, how, post};
use rcgen::{CertifiedKey, KeyPair};

use crate::adapter::{Sending, builder};

const HOST: &str = "pds.test";
fn trusting(identity: &CertifiedKey<KeyPair>, server: &Server) -> Driver {
    builder()
        .root_certificate(identity.cert.pem().as_bytes())
        .unwrap()
        .host_override(HOST, server.address)
        .build()
}

pub(crate) fn url() -> String {
    format!("https://{HOST}/")
}

#[test]
fn a_private_authority_can_be_trusted() {
    let identity = certificate(HOST);
    let server = serve(&identity, |mut peer| {
        while peer.receive().is_some() {
            peer.send(OK);
        }
    });
    let driver = trusting(&identity, &server);
    for _ in 0..3 {
        driver.send(post(url(), "text"), how()).unwrap();
        // A connection becomes idle a little after its reply.
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!((server.requests().len(), server.connections()), (3, 1));
    assert_eq!(server.requests()[0].header("host"), Some(HOST));
    let der = builder().root_certificate(identity.cert.der()).unwrap();
    der.host_override(HOST, server.address).build().send(get(url()), how()).unwrap();
}

#[test]
fn a_failed_handshake_was_not_sent() {
    let (right, wrong) = (certificate(HOST), certificate("other.test"));
    let answering = |mut peer: Peer| {
        while peer.receive().is_some() {
            peer.send(OK);
        }
    };
    let by_another = serve(&certificate(HOST), answering);
    let for_another = serve(&wrong, answering);
    let plain = Server::start(|mut peer| {
        peer.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        thread::sleep(Duration::from_millis(100));
    });
    let closing = Server::start(drop);
    for (identity, server) in
        [(&right, &by_another), (&wrong, &for_another), (&right, &plain), (&right, &closing)]
    {
        let error = trusting(identity, server).send(post(url(), "hidden"), how()).unwrap_err();
        assert_eq!(error.phase, Phase::NotSent, "{error}");
        assert!(server.requests().is_empty());
    }
    // The public authorities don't vouch for it either.
    let public = builder().host_override(HOST, by_another.address).build();
    assert_eq!(public.send(get(url()), how()).unwrap_err().phase, Phase::NotSent);
}

#[test]
fn a_handshake_that_stalls_was_not_sent() {
    let server = Server::start(|_peer| thread::sleep(Duration::from_secs(20)));
    let driver = trusting(&certificate(HOST), &server);
    let begin = Instant::now();
    let how = How { timeout: Duration::from_millis(300), ..how() };
    let error = driver.send(get(url()), how).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn what_follows_the_handshake_may_have_been_sent() {
    let identity = certificate(HOST);
    let server = serve(&identity, |mut peer| {
        peer.receive();
    });
    let error = trusting(&identity, &server).send(post(url(), "text"), how()).unwrap_err();
    assert_eq!(error.phase, Phase::MaybeSent, "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_body_that_whoever_sits_on_the_line_can_cut_is_not_whole() {
    // Neither a length nor TLS's own farewell: the end may be anybody's.
    let identity = certificate(HOST);
    let server = serve(&identity, |mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\ndid:web:pds.example.co");
    });
    let error = trusting(&identity, &server).send(get(url()), how()).unwrap_err();
    assert_eq!(error.phase, Phase::Truncated, "{error}");
}

#[test]
fn what_is_no_certificate_is_refused() {
    for bytes in
        [&b""[..], b"text", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        let error: BadCertificate = builder().root_certificate(bytes).unwrap_err();
        assert!(error.to_string().contains("certificate"));
    }
}

/// A server that finishes a TLS handshake with its first client only, and answers once it is told.
pub(crate) struct Stalling {
    identity: CertifiedKey<KeyPair>,
    server: Server,
    come: mpsc::Receiver<()>,
    go: mpsc::Sender<()>,
}

pub(crate) fn stalling_after_first() -> Stalling {
    let identity = certificate(HOST);
    let (sender, come) = mpsc::channel();
    let (go, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let server = serve(&identity, move |mut peer| {
        // Whoever comes later waits here, its handshake with it.
        let gate = gate.lock().unwrap();
        if peer.receive().is_some() {
            sender.send(()).unwrap();
            gate.recv_timeout(Duration::from_secs(5)).unwrap();
            peer.send(OK);
            peer.receive();
            peer.wait_for_end();
        }
    });
    Stalling { identity, server, come, go }
}

impl Stalling {
    pub(crate) fn driver(&self) -> Driver {
        trusting(&self.identity, &self.server)
    }

    pub(crate) fn wait_for_request(&self) {
        self.come.recv_timeout(Duration::from_secs(5)).unwrap();
    }

    pub(crate) fn wait_for_connection(&self) {
        while self.server.connections() < 2 {
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn answer_first(&self) {
        self.go.send(()).unwrap();
    }

    pub(crate) fn requests(&self) -> usize {
        self.server.requests().len()
    }
}
