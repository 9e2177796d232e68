//! Routing of requests by host: to published documents, to servers, to the PLC directory, to DNS
//! over HTTPS, to the host of the `did:web`, and to the hosts of handles.

use std::time::{Duration, SystemTime};

use atproto_sansio::UnixTime;
use bytes::Bytes;
use http::{Method, Response};
use serde_json::json;

use crate::accounts::handles::Dns;
use crate::answer;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server;

impl Sandbox {
    /// Routes a request to its host and returns the response; `None` if the host does not exist.
    pub(crate) fn route(&mut self, request: &Incoming) -> Option<Response<Bytes>> {
        let origin = request.origin();
        // A published document replaces the response of every host, also of a server.
        if request.method == Method::GET
            && let Some(response) = self.documents.get(request.url.as_str())
        {
            return Some(with_common_headers(response.clone(), self.now));
        }
        if let Some(at) = self.server_at(&origin) {
            let clock = self.clock(at);
            let response = server::handle(self, at, request);
            return Some(with_common_headers(response, clock));
        }
        let is_get = request.method == Method::GET;
        let response = match (is_get, request.url.path()) {
            (true, path) if origin == self.names.plc => self.directory(path),
            (true, "/dns-query") if origin == self.names.doh => self.dns_over_https(request),
            (true, "/.well-known/did.json") if self.is_did_web_host(&origin) => self.did_web()?,
            (true, "/.well-known/atproto-did") if self.is_handle_host(request) => {
                match self.well_known(request) {
                    Some(response) => response,
                    None => self.document(request)?,
                }
            }
            _ => self.document(request)?,
        };
        Some(with_common_headers(response, self.now))
    }

    /// Returns the document published at the URL of the request. If another document is published
    /// on the same host, or if the host is the directory or the resolver, the response is 404.
    fn document(&self, request: &Incoming) -> Option<Response<Bytes>> {
        if let Some(response) = self.documents.get(request.url.as_str()) {
            return Some(response.clone());
        }
        // A host exists if a document is published on it.
        let origin = format!("{}/", request.origin());
        let is_known = self.documents.keys().any(|url| url.starts_with(&origin))
            || request.origin() == self.names.plc
            || request.origin() == self.names.doh;
        is_known.then(|| answer::text(404, "no document is published at this URL"))
    }

    /// Serves `GET /<did>` of the PLC directory: the DID document of a `did:plc` account.
    fn directory(&self, path: &str) -> Response<Bytes> {
        let did = path.strip_prefix('/').unwrap_or(path).replace("%3A", ":").replace("%3a", ":");
        let account = self.accounts.iter().find(|a| a.did == did && did.starts_with("did:plc:"));
        match account {
            Some(account) => {
                let document = account.document(&self.server(account.server).origin);
                answer::typed(200, "application/did+ld+json", document.to_string())
            }
            None => answer::json(404, &json!({"message": format!("DID not registered: {did}")})),
        }
    }

    /// Whether the origin is the host of the `did:web`, with the scheme of the network.
    fn is_did_web_host(&self, origin: &str) -> bool {
        let asked =
            origin.split_once("://").map(|(scheme, host)| (scheme, host.replace(':', "%3A")));
        asked.is_some_and(|(scheme, host)| self.is_scheme(scheme) && host == self.names.did_web)
    }

    /// Whether the network uses this scheme, which is the scheme of its PLC directory; `https` by
    /// default.
    fn is_scheme(&self, scheme: &str) -> bool {
        self.names.plc.split_once("://").is_some_and(|(this, _)| this == scheme)
    }

    /// Serves `GET /.well-known/did.json`: the DID document of the `did:web` account.
    fn did_web(&self) -> Option<Response<Bytes>> {
        let did = format!("did:web:{}", self.names.did_web);
        let account = self.accounts.iter().find(|account| account.did == did)?;
        Some(answer::json(200, &account.document(&self.server(account.server).origin)))
    }

    /// Whether the host of the request may be a handle: the request uses the scheme of the network
    /// and the default port of that scheme.
    fn is_handle_host(&self, request: &Incoming) -> bool {
        self.is_scheme(request.url.scheme()) && request.url.port().is_none()
    }

    /// Serves `GET /.well-known/atproto-did` of a handle; `None` if no such handle is known.
    fn well_known(&self, request: &Incoming) -> Option<Response<Bytes>> {
        let answers = self.handles.get(request.url.host_str()?)?;
        Some(match &answers.https {
            Some(body) => answer::text(200, body.clone()),
            None => answer::text(404, "this handle does not resolve over HTTPS"),
        })
    }

    /// Serves `GET /dns-query` in the JSON format; only TXT lookups have records.
    fn dns_over_https(&mut self, request: &Incoming) -> Response<Bytes> {
        let name = request.query("name").unwrap_or_default();
        let name = name.trim_end_matches('.');
        match request.query("type").map(|kind| kind.to_ascii_uppercase()).as_deref() {
            Some("TXT" | "16") => self.look_up(name).to_json(name),
            _ => Dns::Records(Vec::new()).to_json(name),
        }
    }
}

/// Adds the headers that all responses have: `Date`, and CORS headers that allow web pages of every
/// origin to send requests and to read the responses.
fn with_common_headers(mut response: Response<Bytes>, now: UnixTime) -> Response<Bytes> {
    answer::set(&mut response, "access-control-allow-origin", "*");
    answer::set(&mut response, "access-control-allow-methods", "*");
    answer::set(&mut response, "access-control-allow-headers", ALLOWED_HEADERS);
    answer::set(&mut response, "access-control-expose-headers", "DPoP-Nonce, WWW-Authenticate");
    if let Some(date) = http_date(now) {
        answer::set(&mut response, "date", &date);
    }
    response
}

/// Headers that a web page may send. The names are listed, because `*` does not cover
/// `Authorization` (Fetch standard).
const ALLOWED_HEADERS: &str =
    "Authorization, Content-Type, DPoP, atproto-proxy, atproto-accept-labelers";

/// Formats the time for the `Date` header; `None` after the year 9999, because the format has a
/// year of four digits (RFC 9110 section 5.6.7).
fn http_date(now: UnixTime) -> Option<String> {
    let now = now.since(UnixTime::from_secs(0));
    let is_writable = now < Duration::from_secs(253_402_300_800);
    is_writable.then(|| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + now))
}
