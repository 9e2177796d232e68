//! Client lookup: fetches, checks and caches the metadata of clients, as an authorization server
//! does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use atproto_sansio::UnixTime;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::Value;
use url::Url;

use crate::faults::delivery::Outcome;
use crate::incoming::Incoming;
use crate::log::By;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::client_metadata::{self, ClientInfo};
use crate::server::jwks;
use crate::server::redirect_uri::is_local_name;
use crate::server::refusal::Refusal;

/// Cached metadata of clients by `client_id`, each with the time at which the entry expires.
#[derive(Debug, Default)]
pub(crate) struct Clients(BTreeMap<String, (UnixTime, Arc<ClientInfo>)>);

/// Lifetime of a cache entry.
const CACHED_FOR: Duration = Duration::from_secs(600);

/// Time after which the fetch of one document fails.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of a fetched document, in bytes.
const LARGEST: usize = 512 * 1024;

impl Clients {
    /// Empties the cache, so that the metadata of every client is fetched again.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

/// Returns the metadata of the client `id`: from the cache of the server `at`, or fetched and
/// checked.
///
/// # Errors
///
/// Fails if the `client_id` is malformed or has a local host, if a document can't be fetched, or if
/// the metadata breaks a rule.
pub(crate) fn find(
    sandbox: &mut Sandbox,
    at: ServerId,
    id: &str,
) -> Result<Arc<ClientInfo>, Refusal> {
    let now = sandbox.clock(at);
    let known = sandbox.server(at).clients.0.get(id);
    if let Some((_, client)) = known.filter(|(until, _)| *until > now) {
        return Ok(Arc::clone(client));
    }
    let client = match client_metadata::discoverable(id) {
        Some(url) if is_local_name(url.host_str().unwrap_or_default()) => {
            return Err(Refusal::invalid_client_id("The client_id has a local host name"));
        }
        Some(url) => discover(sandbox, at, &url)?,
        None if sandbox.server(at).habits.fetches_loopback_clients => {
            let why = format!("Unable to get {id}: the server has no document at this URL");
            return Err(Refusal::invalid_client_metadata(&why));
        }
        None => client_metadata::loopback(id)?,
    };
    let client = Arc::new(client);
    let known = &mut sandbox.server_mut(at).clients.0;
    if known.len() % 256 == 255 {
        known.retain(|_, (until, _)| *until > now);
    }
    sandbox.server_mut(at).clients.0.insert(id.to_owned(), (now + CACHED_FOR, Arc::clone(&client)));
    Ok(client)
}

/// Fetches and checks the metadata document at `url`, and the key set at its `jwks_uri`.
fn discover(sandbox: &mut Sandbox, at: ServerId, url: &Url) -> Result<ClientInfo, Refusal> {
    let mut client = client_metadata::check(url, &fetch(sandbox, at, url)?)?;
    if let Some(jwks_uri) = &client.jwks_uri {
        let url = Url::parse(jwks_uri)
            .map_err(|_| Refusal::invalid_client_metadata("jwks_uri is not a URL"))?;
        client.keys = jwks::keys(&fetch(sandbox, at, &url)?)?;
    }
    Ok(client)
}

/// Fetches JSON from a URL that a client named, and adds the time taken to `sandbox.fetching`.
fn fetch(sandbox: &mut Sandbox, at: ServerId, url: &Url) -> Result<Value, Refusal> {
    let failed =
        |why: &str| Refusal::invalid_client_metadata(&format!("Unable to get {url}: {why}"));
    if is_forbidden(url) {
        return Err(failed(
            "the URL must be https, without a port, and with a public host name, which is not \
             reserved for documentation as example.com is",
        ));
    }
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let request = Incoming { method: Method::GET, url: url.clone(), headers, body: Bytes::new() };
    let delivery = sandbox.carry(By::Server(at), request);
    let took = match delivery.outcome {
        Outcome::Silence => FETCH_TIMEOUT,
        _ => delivery.delay.saturating_add(delivery.trickle).min(FETCH_TIMEOUT),
    };
    sandbox.fetching = sandbox.fetching.saturating_add(took);
    if delivery.delay.saturating_add(delivery.trickle) > FETCH_TIMEOUT {
        return Err(failed("the request timed out"));
    }
    let response = delivery.whole().ok_or_else(|| failed("there was no complete response"))?;
    if response.status() != StatusCode::OK {
        return Err(failed("the status is not 200")); // redirects are not followed
    }
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        return Err(failed("the Content-Type is not application/json"));
    }
    if response.body().len() > LARGEST {
        return Err(failed("the document is larger than 512 KiB"));
    }
    serde_json::from_slice(response.body()).map_err(|_| failed("the document is not JSON"))
}

/// Whether a server refuses to fetch from `url`: its scheme is not `https`, it has a port, or its
/// host is an IP address, a local name, or a domain reserved for documentation.
fn is_forbidden(url: &Url) -> bool {
    let Some(url::Host::Domain(host)) = url.host() else { return true };
    let documentation = ["example.com", "example.net", "example.org"];
    let is_for_documentation = documentation.iter().any(|name| {
        host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    url.scheme() != "https" || url.port().is_some() || is_for_documentation || is_local_name(host)
}
