//! A server that completes the TLS handshake of its first connection only, and stalls the others.

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use atproto_oauth_reqwest::Driver;
use atproto_sansio_conformance::tls::{certificate, serve};
use atproto_sansio_conformance::{OK, Server};
use rcgen::{CertifiedKey, KeyPair};

use crate::adapter::builder;

const HOST: &str = "pds.test";

pub(crate) fn url() -> String {
    format!("https://{HOST}/")
}

/// The server of this module. It answers the first request after
/// [`answer_first`](Self::answer_first).
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
        // Later connections wait for the lock before their TLS handshake.
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
        builder()
            .root_certificate(self.identity.cert.pem().as_bytes())
            .unwrap()
            .host_override(HOST, self.server.address)
            .build()
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
