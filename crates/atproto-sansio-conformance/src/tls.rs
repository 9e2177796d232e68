//! Servers that speak TLS, with certificates of their own.

use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::server::{Peer, Server};

/// A certificate for `host` that nobody signed but itself.
pub fn certificate(host: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([host.to_owned()]).unwrap()
}

/// Serves each connection over TLS, in a thread of its own.
pub fn serve(
    identity: &CertifiedKey<KeyPair>,
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
        move |stream| {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            Box::new(StreamOwned::new(session, stream))
        },
        serve,
    )
}
