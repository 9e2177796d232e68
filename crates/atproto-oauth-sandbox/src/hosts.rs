//! The hosts of the network: which of them a request is for, and what those answer that are no servers
//! of accounts.

use std::time::SystemTime;

use atproto_sansio::UnixTime;
use bytes::Bytes;
use http::{Method, Response};
use serde_json::json;

use crate::answer;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server;

impl Sandbox {
    /// The answer of the host that the request is for; `None` if there is none.
    pub(crate) fn route(&mut self, request: &Incoming) -> Option<Response<Bytes>> {
        let origin = request.origin();
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
            (true, "/.well-known/atproto-did") => match self.well_known(request) {
                Some(response) => response,
                None => self.document(request)?,
            },
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
            || origin.starts_with(&self.names.plc)
            || origin.starts_with(&self.names.doh);
        is_known.then(|| answer::text(404, "there is nothing here"))
    }

    /// PLC directory: documents of `did:plc`.
    fn directory(&self, path: &str) -> Response<Bytes> {
        let did = path.trim_start_matches('/');
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
        origin
            .split_once("://")
            .is_some_and(|(_, host)| host.replace(':', "%3A") == self.names.did_web)
    }

    fn did_web(&self) -> Option<Response<Bytes>> {
        let did = format!("did:web:{}", self.names.did_web);
        let account = self.accounts.iter().find(|account| account.did == did)?;
        Some(answer::json(200, &account.document(&self.server(account.server).origin)))
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
        self.look_up(name).to_json(name)
    }
}

/// What all answers have: any origin may ask, and the time.
fn finished(mut response: Response<Bytes>, now: UnixTime) -> Response<Bytes> {
    let date = SystemTime::UNIX_EPOCH + now.since(UnixTime::from_secs(0));
    answer::set(&mut response, "access-control-allow-origin", "*");
    answer::set(&mut response, "date", &httpdate::fmt_http_date(date));
    response
}
