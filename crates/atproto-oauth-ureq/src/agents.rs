//! One ureq agent for each [`Reach`], so that calls of different reach share neither a resolver nor
//! a connection.

use std::sync::Arc;
use std::time::Duration;

use atproto_sansio::{Reach, Rule};
use http::HeaderValue;
use ureq::Agent;
use ureq::config::Config;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::builder::DriverBuilder;
use crate::connect::connector;
use crate::resolve::Addresses;

pub(crate) struct Agents {
    public: Agent,
    configured: Agent,
    development: Option<Agent>,
    pub(crate) user_agent: HeaderValue,
}

impl Agents {
    pub(crate) fn new(settings: &DriverBuilder) -> Self {
        let config = config(settings);
        let agent = |reach| {
            let addresses = Addresses::new(reach, settings);
            Agent::with_parts(config.clone(), connector(), addresses)
        };
        Self {
            public: agent(Reach::Public),
            configured: agent(Reach::Configured),
            development: settings.development.then(|| agent(Reach::Development)),
            user_agent: settings.user_agent.clone(),
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
fn config(settings: &DriverBuilder) -> Config {
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
        .tls_config(tls_config(settings))
        .build()
}

/// Names the *ring* provider, because rustls's process-wide default may be missing or another one.
fn tls_config(settings: &DriverBuilder) -> TlsConfig {
    let roots = match settings.roots.as_slice() {
        [] => RootCerts::WebPki,
        roots => {
            let roots = roots.iter().map(|der| Certificate::from_der(der).to_owned());
            RootCerts::Specific(Arc::new(roots.collect()))
        }
    };
    TlsConfig::builder()
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

/// Largest head of a reply. It must be smaller than ureq's input buffer.
const MAX_HEAD: usize = 64 * 1024;

/// Size of one write, and so the longest header.
///
/// ureq gives each write all the time that is left of the call. A server that reads slowly can
/// therefore exceed the timeout by less if writes are small.
const MAX_WRITE: usize = 32 * 1024;

/// Longest time that an idle connection is kept for reuse.
///
/// ureq never sends a request twice. Before it reuses an idle connection, it checks that the server
/// has not closed it. If the server closes the connection right after this check, the request is
/// lost. Servers usually keep idle connections for at least 5 s. Because the driver discards them
/// earlier, consecutive requests share a connection, and this race does not occur.
const MAX_IDLE: Duration = Duration::from_secs(4);
