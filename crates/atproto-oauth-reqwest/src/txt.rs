//! DNS TXT lookups with hickory.

use std::net::SocketAddr;
use std::time::Duration;

use atproto_sansio::dns::{absolute, failure, records};
use atproto_sansio::{Phase, TransportError};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::RecordType;

/// Queries `nameserver`, or the system's nameservers, for the TXT records of `name`, which is taken
/// as an absolute name.
pub(crate) async fn look_up(
    name: &str,
    timeout: Duration,
    nameserver: Option<SocketAddr>,
) -> Result<Vec<String>, TransportError> {
    let name = absolute(name)?;
    let resolver = resolver(nameserver, timeout)
        .map_err(|error| TransportError::new(Phase::NotSent, format!("nameserver: {error}")))?;
    let lookup = resolver.lookup(name.clone(), RecordType::TXT);
    match tokio::time::timeout(timeout, lookup).await {
        Ok(Ok(found)) => Ok(records(&name, found.answers())),
        Ok(Err(error)) => without_records(error),
        Err(_) => Err(TransportError::new(Phase::TimedOut, "no nameserver answered in time")),
    }
}

/// Creates a resolver for one lookup, because the system's nameservers change with the network.
fn resolver(nameserver: Option<SocketAddr>, timeout: Duration) -> Result<TokioResolver, NetError> {
    let mut builder = match nameserver {
        Some(address) => TokioResolver::builder_with_config(only(address), provider()),
        None => TokioResolver::builder(provider())?,
    };
    let options = builder.options_mut();
    // The machine that asked decides on caching.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = options.timeout.min(timeout);
    // hickory still repeats a query without an answer, but not one whose answer is an error.
    options.attempts = 0;
    builder.build()
}

fn only(address: SocketAddr) -> ResolverConfig {
    let at_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![at_port(ConnectionConfig::udp()), at_port(ConnectionConfig::tcp())];
    let server = NameServerConfig::new(address.ip(), true, connections);
    ResolverConfig::from_parts(None, Vec::new(), vec![server])
}

fn provider() -> TokioRuntimeProvider {
    TokioRuntimeProvider::default()
}

fn without_records(error: NetError) -> Result<Vec<String>, TransportError> {
    let phase = match &error {
        NetError::Dns(DnsError::NoRecordsFound(_)) => return Ok(Vec::new()),
        NetError::Dns(DnsError::ResponseCode(code)) => return Err(failure(*code)),
        NetError::Timeout => Phase::TimedOut,
        _ => Phase::MaybeSent,
    };
    Err(TransportError::new(phase, format!("nameserver: {error}")))
}
