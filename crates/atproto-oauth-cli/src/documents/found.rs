//! Steps from a handle, a DID or a server to the OAuth endpoints, as text and as JSON.

use std::fmt::Write;

use atproto_identity::{Did, DidDocument, Handle, Identifier, ResolutionMethod, TracedHandle};
use atproto_oauth_core::{
    Discovered, Origin, ResourceMetadataEndpoint, ServerMetadata, ServerMetadataEndpoint, Subject,
};
use serde_json::{Value, json};

/// The steps that were found so far.
#[derive(Debug)]
pub(crate) struct Found {
    /// The handle, DID or server that the user gave.
    pub(crate) input: String,
    pub(crate) handle: Option<CheckedHandle>,
    pub(crate) did: Option<Did>,
    /// The DID document and its URL.
    pub(crate) document: Option<(DidDocument, String)>,
    /// The server of the account, or the server that was given.
    pub(crate) pds: Option<Origin>,
    pub(crate) discovered: Option<Discovered>,
}

/// A handle, and whether it and the DID document name each other.
#[derive(Debug)]
pub(crate) struct CheckedHandle {
    pub(crate) handle: Handle,
    /// The DID that the handle leads to, and the source; `None` if the handle does not resolve.
    pub(crate) leads_to: Option<TracedHandle>,
    /// The reason why the handle is not verified; `None` if it is.
    pub(crate) problem: Option<String>,
}

impl CheckedHandle {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "Handle: {}", self.handle)?;
        if let Some(TracedHandle { did, method, at, .. }) = &self.leads_to {
            match method {
                ResolutionMethod::Https => writeln!(out, "  {method}: {at} names {did}")?,
                _ => writeln!(out, "  {method}: the TXT record of {at} names {did}")?,
            }
        }
        match &self.problem {
            None => writeln!(out, "  verified: the DID document claims it"),
            Some(problem) => writeln!(out, "  not verified: {problem}"),
        }
    }

    fn to_json(&self) -> Value {
        let traced = self.leads_to.as_ref();
        json!({
            "name": self.handle.as_str(),
            "leads_to": traced.map(|traced| traced.did.as_str()),
            "method": traced.map(|traced| name(traced.method)),
            "source": traced.map(|traced| &traced.at),
            "is_verified": self.problem.is_none(),
            "problem": self.problem,
        })
    }
}

impl Found {
    pub(crate) fn of(subject: &Subject) -> Self {
        let (did, pds) = match subject {
            Subject::Account(Identifier::Did(did)) => (Some(did.clone()), None),
            Subject::Server(server) => (None, Some(server.clone())),
            Subject::Account(Identifier::Handle(_)) | Subject::DefaultServer => (None, None),
        };
        let input = subject.to_string();
        Self { input, handle: None, did, document: None, pds, discovered: None }
    }

    /// The steps as lines of text, each followed by its source.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a string never fails");
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        match &self.handle {
            Some(checked) => checked.write(out)?,
            None if self.document.is_some() => {
                writeln!(out, "Handle: none\n  the DID document claims no valid handle")?;
            }
            None => {}
        }
        if let Some(did) = &self.did {
            writeln!(out, "DID: {did}")?;
        }
        if let Some((_, url)) = &self.document {
            writeln!(out, "  its document: {url}")?;
        }
        if let Some(pds) = &self.pds {
            let (label, source) = match self.did {
                Some(_) => ("PDS", "the DID document names it"),
                None => ("Server", "given"),
            };
            writeln!(out, "{label}: {pds}\n  {source}")?;
        }
        if let Some(discovered) = &self.discovered {
            writeln!(out, "Issuer: {}", discovered.server.issuer)?;
            match self.resource_metadata_url() {
                Some(url) => writeln!(out, "  {url} names it")?,
                None => writeln!(
                    out,
                    "  the server has no protected resource metadata, so it is its own issuer"
                )?,
            }
            writeln!(out, "Endpoints:")?;
            for (name, url) in endpoints(&discovered.server) {
                writeln!(out, "  {name}: {}", url.unwrap_or("none"))?;
            }
            let metadata = server_metadata_url(&discovered.server);
            writeln!(out, "  {metadata} names them")?;
        }
        Ok(())
    }

    /// The steps as JSON. All members are always there; a step that was not reached is `null`.
    pub(crate) fn to_json(&self, error: Option<Value>) -> Value {
        let server = self.discovered.as_ref().map(|discovered| &discovered.server);
        let endpoints = server.map(|server| {
            let list = endpoints(server).map(|(name, url)| (name.to_owned(), json!(url)));
            Value::Object(list.into_iter().collect())
        });
        json!({
            "input": self.input,
            "handle": self.handle.as_ref().map(CheckedHandle::to_json),
            "did": self.did.as_ref().map(Did::as_str),
            "did_document_url": self.document.as_ref().map(|(_, url)| url),
            "pds": self.pds.as_ref().filter(|_| self.did.is_some()),
            "server": self.pds.as_ref().filter(|_| self.did.is_none()),
            "resource_metadata_url": self.resource_metadata_url(),
            "issuer": server.map(|server| &server.issuer),
            "server_metadata_url": server.map(server_metadata_url),
            "endpoints": endpoints,
            "error": error,
        })
    }

    /// URL of the document in which the PDS names its issuer; `None` without such a document.
    fn resource_metadata_url(&self) -> Option<String> {
        self.discovered.as_ref().filter(|discovered| discovered.is_named)?;
        let resource = self.pds.clone()?;
        Some(ResourceMetadataEndpoint { resource, development: true }.url())
    }
}

fn server_metadata_url(server: &ServerMetadata) -> String {
    let issuer = server.issuer.clone();
    ServerMetadataEndpoint { issuer, development: true }.url()
}

fn endpoints(server: &ServerMetadata) -> [(&'static str, Option<&str>); 4] {
    let pushed = server.pushed_authorization_request_endpoint.as_str();
    [
        ("authorization_endpoint", Some(server.authorization_endpoint.as_str())),
        ("pushed_authorization_request_endpoint", Some(pushed)),
        ("token_endpoint", Some(server.token_endpoint.as_str())),
        ("revocation_endpoint", server.revocation_endpoint.as_ref().map(|url| url.as_str())),
    ]
}

fn name(method: ResolutionMethod) -> &'static str {
    match method {
        ResolutionMethod::Dns => "dns",
        ResolutionMethod::DnsOverHttps => "dns-over-https",
        ResolutionMethod::Https => "https",
        // The enum may get further methods.
        _ => "other",
    }
}
