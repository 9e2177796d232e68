//! The hosts of the network: which of them a request is for, and what those answer that are no servers
//! of accounts.

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
    /// The answer of the host that the request is for; `None` if there is none.
    pub(crate) fn route(&mut self, request: &Incoming) -> Option<Response<Bytes>> {
        let origin = request.origin();
        // What was published is there, whoever's host it is on.
        if request.method == Method::GET
            && let Some(response) = self.documents.get(request.url.as_str())
        {
            return Some(finished(response.clone(), self.now));
        }
        if let Some(at) = self.server_at(&origin) {
            let clock = self.clock(at);
            let response = server::handle(self, at, request);
            return Some(finished(response, clock));
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
        Some(finished(response, self.now))
    }

    fn document(&self, request: &Incoming) -> Option<Response<Bytes>> {
        if let Some(response) = self.documents.get(request.url.as_str()) {
            return Some(response.clone());
        }
        // Its host is there, if anything of it was published.
        let origin = format!("{}/", request.origin());
        let is_known = self.documents.keys().any(|url| url.starts_with(&origin))
            || request.origin() == self.names.plc
            || request.origin() == self.names.doh;
        is_known.then(|| answer::text(404, "there is nothing here"))
    }

    /// PLC directory: documents of `did:plc`.
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

    fn is_did_web_host(&self, origin: &str) -> bool {
        let asked =
            origin.split_once("://").map(|(scheme, host)| (scheme, host.replace(':', "%3A")));
        asked.is_some_and(|(scheme, host)| self.is_scheme(scheme) && host == self.names.did_web)
    }

    /// Whether the network is spoken to so: with https, unless its names say otherwise.
    fn is_scheme(&self, scheme: &str) -> bool {
        self.names.plc.split_once("://").is_some_and(|(this, _)| this == scheme)
    }

    fn did_web(&self) -> Option<Response<Bytes>> {
        let did = format!("did:web:{}", self.names.did_web);
        let account = self.accounts.iter().find(|account| account.did == did)?;
        Some(answer::json(200, &account.document(&self.server(account.server).origin)))
    }

    /// Handles are asked for as the network's servers are, and on the port that goes with it.
    fn is_handle_host(&self, request: &Incoming) -> bool {
        self.is_scheme(request.url.scheme()) && request.url.port().is_none()
    }

    fn well_known(&self, request: &Incoming) -> Option<Response<Bytes>> {
        let answers = self.handles.get(request.url.host_str()?)?;
        Some(match &answers.https {
            Some(body) => answer::text(200, body.clone()),
            None => answer::text(404, "there is no such account"),
        })
    }

    fn dns_over_https(&mut self, request: &Incoming) -> Response<Bytes> {
        let name = request.query("name").unwrap_or_default();
        let name = name.trim_end_matches('.');
        match request.query("type").map(|kind| kind.to_ascii_uppercase()).as_deref() {
            Some("TXT" | "16") => self.look_up(name).to_json(name),
            _ => Dns::Records(Vec::new()).to_json(name),
        }
    }
}

/// What all answers have: pages of any origin may ask and see what there is to see, and the time.
fn finished(mut response: Response<Bytes>, now: UnixTime) -> Response<Bytes> {
    answer::set(&mut response, "access-control-allow-origin", "*");
    answer::set(&mut response, "access-control-allow-methods", "*");
    answer::set(&mut response, "access-control-allow-headers", ALLOWED);
    answer::set(&mut response, "access-control-expose-headers", "DPoP-Nonce, WWW-Authenticate");
    if let Some(date) = http_date(now) {
        answer::set(&mut response, "date", &date);
    }
    response
}

/// Headers that a page may set; with `Authorization` among them, a star would not do.
const ALLOWED: &str = "Authorization, Content-Type, DPoP, atproto-proxy, atproto-accept-labelers";

/// `None` beyond the year 9999, which the format has no room for (RFC 9110 section 5.6.7).
fn http_date(now: UnixTime) -> Option<String> {
    let now = now.since(UnixTime::from_secs(0));
    let is_writable = now < Duration::from_secs(253_402_300_800);
    is_writable.then(|| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + now))
}
