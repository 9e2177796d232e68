//! One reqwest client for each [`Reach`], so that calls of different reach share neither a resolver
//! nor a connection.

use std::sync::Arc;
use std::time::Duration;

use atproto_sansio::{Reach, Rule};
use http::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, retry};
use rustls::{ClientConfig, RootCertStore};

use crate::builder::DriverBuilder;
use crate::connect::{CONNECT, Watch};
use crate::gates::Gates;
use crate::resolve::Addresses;

pub(crate) struct Clients {
    public: Reaching,
    configured: Reaching,
    development: Option<Reaching>,
    pub(crate) user_agent: HeaderValue,
    pub(crate) gates: Gates,
}

/// A client of one reach, and its resolver.
pub(crate) struct Reaching {
    pub(crate) client: Client,
    pub(crate) addresses: Addresses,
}

impl Clients {
    pub(crate) fn new(settings: &DriverBuilder) -> Self {
        let reaching = |reach| {
            let addresses = Addresses::new(reach, settings);
            Reaching { client: client(tls_config(settings), addresses.clone()), addresses }
        };
        Self {
            public: reaching(Reach::Public),
            configured: reaching(Reach::Configured),
            development: settings.development.then(|| reaching(Reach::Development)),
            user_agent: settings.user_agent.clone(),
            gates: Gates::new(settings.requests_per_server),
        }
    }

    /// The client for `reach`, or the rule that forbids a development call.
    pub(crate) fn reaching(&self, reach: Reach) -> Result<&Reaching, Rule> {
        match reach {
            Reach::Public => Ok(&self.public),
            Reach::Configured => Ok(&self.configured),
            Reach::Development => self.development.as_ref().ok_or(Rule::NO_DEVELOPMENT),
        }
    }
}

/// Switches off every feature that reqwest performs on its own: proxies, redirects, retries,
/// decompression. A feature may be compiled in because another crate of the program enables it.
fn client(tls: ClientConfig, addresses: Addresses) -> Client {
    Client::builder()
        // A proxy would resolve the host again, without the address check of `Addresses`.
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .retry(retry::never())
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .no_hickory_dns()
        .dns_resolver(addresses)
        .connector_layer(Watch)
        .http1_only()
        .http1_max_headers(MAX_HEADERS)
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(MAX_IDLE)
        .build()
        .expect("all settings of this client builder are valid")
}

/// Names the *ring* provider, because rustls's process-wide default may be missing or another one.
fn tls_config(settings: &DriverBuilder) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    match settings.roots.as_slice() {
        [] => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        // `DriverBuilder::root_certificate` has rejected certificates that cannot be parsed.
        own => _ = roots.add_parsable_certificates(own.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the ring provider supports the default TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// Largest number of headers of a reply, and of trailers behind its body; the same as in ureq.
const MAX_HEADERS: usize = 128;

/// Longest time that an idle connection is kept for reuse.
///
/// If an idle connection turns out to be closed before the request begins, reqwest sends the
/// request over another connection. If the server closes the connection when the request has just
/// begun, the request is lost. Servers usually keep idle connections for at least 5 s. Because the
/// driver discards them earlier, consecutive requests share a connection, and this race does not
/// occur.
const MAX_IDLE: Duration = Duration::from_secs(4);
