//! Scenarios of TLS, and a server with a self-signed certificate for them.
//!
//! [`tls_tests!`](crate::tls_tests) makes a test of each scenario. Its argument is a function that
//! takes [`Settings`], and returns an adapter with these settings.

use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use atproto_sansio::{How, Phase, UnixTime};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::adapter::{Adapter, send};
use crate::early::{LARGE, Then, answer_early, large};
use crate::requests::{OK, get, how, post};
use crate::server::{Peer, Server, Stream};
use crate::settings::Settings;

/// Creates a self-signed certificate for `host`.
pub fn certificate(host: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([host.to_owned()]).unwrap()
}

/// Starts a TLS server that calls `serve` for each connection, in a thread of its own.
pub fn serve(
    identity: &CertifiedKey<KeyPair>,
    serve: impl Fn(Peer) + Send + Sync + 'static,
) -> Server {
    let whole =
        |stream, session| -> Box<dyn Stream> { Box::new(StreamOwned::new(session, stream)) };
    serve_over(identity, whole, serve)
}

/// Starts a TLS server; `layer` puts the session above the connection, before the handshake.
fn serve_over(
    identity: &CertifiedKey<KeyPair>,
    layer: impl Fn(TcpStream, ServerConnection) -> Box<dyn Stream> + Send + Sync + 'static,
    serve: impl Fn(Peer) + Send + Sync + 'static,
) -> Server {
    let key = PrivateKeyDer::try_from(identity.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    Server::start_over(
        move |stream| layer(stream, ServerConnection::new(Arc::clone(&config)).unwrap()),
        serve,
    )
}

/// Host of the TLS servers. Only [`Settings::host_override`] leads to an address, because `.test`
/// names are not registered.
const HOST: &str = "pds.test";

/// Returns an adapter that trusts only the certificate of `identity`, and connects to `server`.
fn trusting<A>(
    adapter: impl Fn(Settings<'_>) -> A,
    identity: &CertifiedKey<KeyPair>,
    server: &Server,
) -> A {
    let pem = identity.cert.pem();
    adapter(Settings {
        host_override: Some((HOST, server.address)),
        root_certificate: Some(pem.as_bytes()),
        ..Settings::default()
    })
}

fn url() -> String {
    format!("https://{HOST}/")
}

/// A certificate authority can be trusted in PEM and in DER, and TLS connections are kept.
pub fn a_private_authority_can_be_trusted<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
    let identity = certificate(HOST);
    let server = serve(&identity, |mut peer| {
        while peer.receive().is_some() {
            peer.send(OK);
        }
    });
    let by_pem = trusting(&adapter, &identity, &server);
    for _ in 0..3 {
        send(&by_pem, post(url(), "text"), how()).unwrap();
        // The transport may mark a connection as idle shortly after its reply.
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(server.requests().len(), 3);
    if by_pem.keeps_connections() {
        assert_eq!(server.connections(), 1, "the requests did not share one connection");
    }
    assert_eq!(server.requests()[0].header("host"), Some(HOST));
    let by_der = adapter(Settings {
        host_override: Some((HOST, server.address)),
        root_certificate: Some(identity.cert.der()),
        ..Settings::default()
    });
    send(&by_der, get(url()), how()).unwrap();
}

/// A request whose TLS handshake fails was surely not sent.
pub fn a_failed_handshake_was_not_sent<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
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
        let adapter = trusting(&adapter, identity, server);
        let error = send(&adapter, post(url(), "hidden"), how()).unwrap_err();
        assert_eq!(error.phase, Phase::NotSent, "{error}");
        assert!(server.requests().is_empty());
    }
    // No public certificate authority has signed the test certificate.
    let host_override = Some((HOST, by_another.address));
    let public = adapter(Settings { host_override, ..Settings::default() });
    assert_eq!(send(&public, get(url()), how()).unwrap_err().phase, Phase::NotSent);
}

/// A request whose TLS handshake outlives the time of the call was surely not sent.
pub fn a_handshake_that_stalls_was_not_sent<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
    let server = Server::start(|_peer| thread::sleep(Duration::from_secs(20)));
    let adapter = trusting(&adapter, &certificate(HOST), &server);
    let begin = Instant::now();
    let how = How { timeout: Duration::from_millis(300), ..how() };
    let error = send(&adapter, get(url()), how).unwrap_err();
    assert_eq!(error.phase, Phase::NotSent, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

/// If the connection closes after the handshake, the request may have been sent.
pub fn a_request_after_the_handshake_may_have_been_sent<A: Adapter>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    let identity = certificate(HOST);
    let server = serve(&identity, |mut peer| {
        peer.receive();
    });
    let adapter = trusting(&adapter, &identity, &server);
    let error = send(&adapter, post(url(), "text"), how()).unwrap_err();
    assert_eq!(error.phase, Phase::MaybeSent, "{error}");
    assert_eq!(server.requests().len(), 1);
}

/// A body that ends with neither a length nor `close_notify` is truncated, because anybody on the
/// network path can have closed the TCP connection.
pub fn a_body_without_close_notify_is_truncated<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
    let identity = certificate(HOST);
    let server = serve(&identity, |mut peer| {
        peer.receive();
        peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\ndid:web:pds.example.co");
    });
    let adapter = trusting(&adapter, &identity, &server);
    let error = send(&adapter, get(url()), how()).unwrap_err();
    assert_eq!(error.phase, Phase::Truncated, "{error}");
}

/// Answers that come before the end of the request are heard over TLS, too. The tickets for a later
/// session, which the server sends after the handshake, are no answer.
pub fn an_early_answer_is_heard_over_tls<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
    // Rule E-39
    for then in [Then::Close, Then::ReadNoFurther] {
        let identity = certificate(HOST);
        let server = serve(&identity, move |peer| answer_early(peer, then));
        let adapter = trusting(&adapter, &identity, &server);
        let begin = Instant::now();
        let reply = send(&adapter, large(url()), how()).unwrap();
        assert_eq!((reply.status().as_u16(), &reply.body()[..]), (401, &b"no!"[..]), "{then:?}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    }
}

/// A server that reads slowly, and answers at the end, gets the whole request.
pub fn a_slow_reader_gets_the_whole_request<A: Adapter>(adapter: impl Fn(Settings<'_>) -> A) {
    let identity = certificate(HOST);
    let server = serve(&identity, |mut peer| {
        thread::sleep(Duration::from_millis(500));
        if peer.receive().is_some() {
            peer.send(OK);
        }
    });
    let adapter = trusting(&adapter, &identity, &server);
    assert_eq!(send(&adapter, large(url()), how()).unwrap().status(), 200);
    assert!(server.requests()[0].body.iter().all(|byte| *byte == 7));
    assert_eq!(server.requests()[0].body.len(), LARGE);
}

/// A request is not sent if it became too late while its connection was established: its proof is
/// stale, or too little time is left for the reply.
pub fn a_request_that_became_late_during_the_handshake_is_not_sent<A: Adapter>(
    adapter: impl Fn(Settings<'_>) -> A,
) {
    let slow = |stream: TcpStream, session: ServerConnection| -> Box<dyn Stream> {
        thread::sleep(Duration::from_millis(2500));
        Box::new(StreamOwned::new(session, stream))
    };
    let identity = certificate(HOST);
    let server = serve_over(&identity, slow, |mut peer| {
        while peer.receive().is_some() {
            peer.send(OK);
        }
    });
    let soon = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Some(UnixTime::from_epoch(now + Duration::from_millis(1500)))
    };
    for how in [
        How { start_by: soon(), ..how() },
        How { timeout: Duration::from_secs(6), least_time: Duration::from_secs(4), ..how() },
    ] {
        let adapter = trusting(&adapter, &identity, &server);
        let error = send(&adapter, post(url(), "text"), how).unwrap_err();
        assert_eq!(error.phase, Phase::NotSent, "{error}");
        thread::sleep(Duration::from_secs(2));
        assert!(server.requests().is_empty());
    }
}
