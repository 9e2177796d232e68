//! One ureq agent for each [`Reach`], so that calls of different reach share neither a resolver nor
//! a connection.

use std::sync::Arc;
use std::time::Duration;

use atproto_sansio::{Reach, Rule};
use http::HeaderValue;
use rustls::{ClientConfig, RootCertStore};
use ureq::Agent;
use ureq::config::Config;

use crate::builder::DriverBuilder;
use crate::connect::Connect;
use crate::gates::Gates;
use crate::resolve::{Addresses, Deferred};
use crate::workers::Workers;

pub(crate) struct Agents {
    public: Agent,
    configured: Agent,
    development: Option<Agent>,
    pub(crate) user_agent: HeaderValue,
    pub(crate) gates: Gates,
}

impl Agents {
    pub(crate) fn new(settings: &DriverBuilder, workers: &Workers) -> Self {
        let config = config();
        let tls = Arc::new(tls_config(settings));
        let agent = |reach| {
            let addresses = Addresses::new(reach, settings, workers.clone());
            let connect = Connect { tls: Arc::clone(&tls), addresses };
            Agent::with_parts(config.clone(), connect, Deferred)
        };
        Self {
            public: agent(Reach::Public),
            configured: agent(Reach::Configured),
            development: settings.development.then(|| agent(Reach::Development)),
            user_agent: settings.user_agent.clone(),
            gates: Gates::new(settings.requests_per_server),
        }
    }

    /// The agent for `reach`, or the rule that forbids a development call.
    pub(crate) fn reaching(&self, reach: Reach) -> Result<&Agent, Rule> {
        match reach {
            Reach::Public => Ok(&self.public),
            Reach::Configured => Ok(&self.configured),
            Reach::Development => self.development.as_ref().ok_or(Rule::NO_DEVELOPMENT),
        }
    }
}

/// Switches off every feature that ureq performs on its own: proxies, redirects, added headers.
fn config() -> Config {
    Config::builder()
        // A proxy would resolve the host again, without the address check of `Addresses`.
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        // An empty value adds no header. `http_call::prepare` adds `User-Agent`.
        .user_agent("")
        .accept("")
        .accept_encoding("")
        .max_response_header_size(MAX_HEAD)
        .output_buffer_size(MAX_WRITE)
        .max_idle_age(MAX_IDLE)
        .max_idle_connections(MAX_IDLE_CONNECTIONS)
        .max_idle_connections_per_host(MAX_IDLE_CONNECTIONS)
        .build()
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

/// Largest head of a reply. It must be smaller than ureq's input buffer.
pub(crate) const MAX_HEAD: usize = 64 * 1024;

/// Size of one write, and so the longest header.
const MAX_WRITE: usize = 32 * 1024;

/// Longest time that an idle connection is kept for reuse.
///
/// ureq never sends a request twice. Before it reuses an idle connection, it checks that the server
/// has not closed it. If the server closes the connection right after this check, the request is
/// lost. Servers usually keep idle connections for at least 5 s. Because the driver discards them
/// earlier, consecutive requests share a connection, and this race does not occur.
const MAX_IDLE: Duration = Duration::from_secs(4);

/// Most idle connections of one reach. ureq would keep three for each server, and a program with many threads
/// would open a connection for most of its requests.
const MAX_IDLE_CONNECTIONS: usize = 64;
