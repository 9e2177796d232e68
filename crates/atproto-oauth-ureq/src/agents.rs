//! One ureq agent for each reach, so that they share neither a resolver nor a connection.

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
            let addresses = Addresses::new(reach, &settings.overrides);
            Agent::with_parts(config.clone(), connector(), addresses)
        };
        Self {
            public: agent(Reach::Public),
            configured: agent(Reach::Configured),
            development: settings.development.then(|| agent(Reach::Development)),
            user_agent: settings.user_agent.clone(),
        }
    }

    /// The agent for `reach`, if this driver goes there.
    pub(crate) fn reaching(&self, reach: Reach) -> Result<&Agent, Rule> {
        match reach {
            Reach::Public => Ok(&self.public),
            Reach::Configured => Ok(&self.configured),
            Reach::Development => self.development.as_ref().ok_or(Rule::NO_DEVELOPMENT),
        }
    }
}

/// Everything that ureq would do by itself is switched off here.
fn config(settings: &DriverBuilder) -> Config {
    Config::builder()
        // A proxy would resolve the name again, behind the back of the resolver that checks it.
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        // No header that the machine did not ask for; the user agent is added to the request.
        .user_agent("")
        .accept("")
        .accept_encoding("")
        .max_response_header_size(MAX_HEAD)
        .output_buffer_size(MAX_WRITE)
        .max_idle_age(MAX_IDLE)
        .tls_config(tls_config(settings))
        .build()
}

/// Names the provider, since a process-wide default may be missing or be another one.
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

/// The largest head of a reply, and it must be less than ureq's input buffer.
const MAX_HEAD: usize = 64 * 1024;

/// The most that is written at once, and so the longest header.
///
/// ureq gives all the time that is left to each write, so a peer that reads slowly gains less time
/// with smaller ones.
const MAX_WRITE: usize = 32 * 1024;

/// How long a connection may lie idle before it is not used again.
///
/// ureq sends a request once, whatever happens, and looks whether an idle connection was closed
/// before it takes it. But the peer may close it just then, and the request is lost. So idle
/// connections are kept for no longer than the shortest time that servers usually keep them (5 s):
/// requests that follow one another share a connection, and the race does not arise.
const MAX_IDLE: Duration = Duration::from_secs(4);
