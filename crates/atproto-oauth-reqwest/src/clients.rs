//! One reqwest client for each reach, so that they share neither a resolver nor a connection.

use std::sync::Arc;
use std::time::Duration;

use atproto_sansio::{Reach, Rule};
use http::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, retry};
use rustls::{ClientConfig, RootCertStore};

use crate::builder::DriverBuilder;
use crate::connect::Watch;
use crate::gates::Gates;
use crate::resolve::Addresses;

pub(crate) struct Clients {
    public: Reaching,
    configured: Reaching,
    development: Option<Reaching>,
    pub(crate) user_agent: HeaderValue,
    pub(crate) gates: Gates,
}

/// A client, and the addresses that it connects to.
pub(crate) struct Reaching {
    pub(crate) client: Client,
    pub(crate) addresses: Addresses,
}

impl Clients {
    pub(crate) fn new(settings: &DriverBuilder) -> Self {
        let reaching = |reach| {
            let addresses = Addresses::new(reach, &settings.overrides);
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

    /// The client for `reach`, if this driver goes there.
    pub(crate) fn reaching(&self, reach: Reach) -> Result<&Reaching, Rule> {
        match reach {
            Reach::Public => Ok(&self.public),
            Reach::Configured => Ok(&self.configured),
            Reach::Development => self.development.as_ref().ok_or(Rule::NO_DEVELOPMENT),
        }
    }
}

/// Everything that reqwest would do by itself is switched off here, even what only other users of
/// reqwest in the same program have compiled in.
fn client(tls: ClientConfig, addresses: Addresses) -> Client {
    Client::builder()
        // A proxy would resolve the name again, behind the back of the resolver that checks it.
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
        .tls_backend_preconfigured(tls)
        .pool_idle_timeout(MAX_IDLE)
        .build()
        .expect("nothing that was set can fail")
}

/// Names the provider, since a process-wide default may be missing or be another one.
fn tls_config(settings: &DriverBuilder) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    match settings.roots.as_slice() {
        [] => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        // The builder has refused those that can't be parsed.
        own => _ = roots.add_parsable_certificates(own.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// How long a connection may lie idle before it is not used again.
///
/// A request that was not begun when its idle connection turned out to be closed is sent over
/// another, but one that was begun just then is lost. So idle connections are kept for no longer
/// than the shortest time that servers usually keep them (5 s): requests that follow one another
/// share a connection, and the race does not arise.
const MAX_IDLE: Duration = Duration::from_secs(4);
