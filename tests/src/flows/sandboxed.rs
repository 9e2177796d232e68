//! The implementation of [`Stage`] for each stage that is a sandbox.

use std::ops::DerefMut;
use std::time::Duration;

use atproto_oauth_core::{Client, ClientBuilder};
use atproto_oauth_sandbox::{Exchange, Fault, Sandbox};
use serde_json::{Map, Value};
use url::Url;

use crate::flows::{Account, Adapter, Jws, Seen, Stage};
use crate::replayer::proof::hash;

/// A stage that is a sandbox: the methods that differ between a sandbox in memory and on sockets.
pub trait Sandboxed {
    /// Locks the sandbox. A client that waits for a response deadlocks while the guard is held.
    fn sandbox(&self) -> Box<dyn DerefMut<Target = Sandbox> + '_>;
    /// See [`Stage::closed_port`].
    fn closed_port(&self) -> Url;
    /// See [`Stage::configure`].
    fn configure(&self, client: ClientBuilder) -> ClientBuilder;
    /// See [`Stage::run`].
    fn run(&self, client: Client) -> Box<dyn Adapter + '_>;
}

impl<S: Sandboxed> Stage for S {
    fn kinds(&self) -> &'static [&'static str] {
        &KINDS
    }

    fn account(&self, name: &str) -> Account {
        account(&self.sandbox(), name)
    }

    fn directory(&self) -> Url {
        self.sandbox().names().plc.parse().unwrap()
    }

    fn dns_over_https(&self) -> Url {
        format!("{}/dns-query", self.sandbox().names().doh).parse().unwrap()
    }

    fn closed_port(&self) -> Url {
        self.closed_port()
    }

    fn configure(&self, client: ClientBuilder) -> ClientBuilder {
        self.configure(client)
    }

    fn publish(&self, client: &Client) {
        let mut sandbox = self.sandbox();
        sandbox.publish_client(client);
        for name in KINDS {
            let issuer = account(&sandbox, name).issuer;
            let at = sandbox.find_server(&issuer).unwrap();
            sandbox.forget_clients(at);
        }
    }

    fn run(&self, client: Client) -> Box<dyn Adapter + '_> {
        self.run(client)
    }

    fn approve(&self, url: &Url, handle: &str) -> String {
        self.sandbox().approve(url, handle).unwrap()
    }

    fn deny(&self, url: &Url) -> String {
        self.sandbox().deny(url).unwrap()
    }

    fn log(&self, server: &str) -> Vec<Seen> {
        seen_by(&self.sandbox(), server)
    }

    fn clear_log(&self) {
        self.sandbox().clear_log();
    }

    fn reset_nonces_before(&self, server: &str, path: &str, skip: u32) {
        self.sandbox().fault(Fault::reset_nonces().host(server).path(path).skip(skip));
    }

    fn clear_faults(&self) {
        self.sandbox().clear_faults();
    }

    fn set_access_token_lifetime(&self, server: &str, lifetime: Duration) {
        let mut sandbox = self.sandbox();
        let at = sandbox.find_server(server).unwrap();
        sandbox.set_access_token_lifetime(at, lifetime);
    }
}

/// Names of all accounts of a sandbox.
const KINDS: [&str; 7] = ["alice", "carol", "dave", "wendy", "bob", "rita", "sara"];

/// Returns the account of a sandbox whose handle has the first label `name`.
fn account(sandbox: &Sandbox, name: &str) -> Account {
    let names = sandbox.names();
    let handle = format!("{name}{}", names.handles);
    let did = sandbox.did(&handle).unwrap().to_owned();
    let (pds, issuer) = match name {
        "bob" => (&names.other_pds, &names.other_pds),
        "rita" => (&names.entryway_pds, &names.entryway),
        "sara" => (&names.other_entryway_pds, &names.entryway),
        _ => (&names.pds, &names.pds),
    };
    Account { handle, did, pds: pds.clone(), issuer: issuer.clone() }
}

/// Returns the requests of clients that the server at the origin `server` received.
fn seen_by(sandbox: &Sandbox, server: &str) -> Vec<Seen> {
    sandbox
        .requests()
        .filter(|exchange| exchange.url.origin().ascii_serialization() == server)
        .map(seen)
        .collect()
}

fn seen(exchange: &Exchange) -> Seen {
    let header = |name: &str| Some(exchange.headers.get(name)?.to_str().unwrap().to_owned());
    let proof = header("dpop").map(|proof| Jws::read(&proof).unwrap());
    let authorization = header("authorization");
    let credentials = authorization.as_deref().and_then(|value| value.split_once(' '));
    let ath_is_right = credentials
        .zip(proof.as_ref())
        .map(|((_, token), (proof, _))| proof.claim("ath") == Some(&*hash(token)));
    let content_type = header("content-type");
    let is_form = content_type.as_deref() == Some("application/x-www-form-urlencoded");
    Seen {
        method: exchange.method.to_string(),
        path: exchange.path().to_owned(),
        query: exchange.url.query().unwrap_or_default().to_owned(),
        at: exchange.at.as_secs(),
        header_names: exchange.headers.iter().map(|(name, _)| name.to_string()).collect(),
        content_type,
        authorization_scheme: credentials.map(|(scheme, _)| scheme.to_owned()),
        proof_is_signed: proof.as_ref().is_some_and(|(_, is_signed)| *is_signed),
        proof: proof.map(|(proof, _)| proof),
        ath_is_right,
        form: is_form.then(|| form(&exchange.body)),
        assertion: exchange
            .form("client_assertion")
            .map(|assertion| Jws::read(&assertion).unwrap().0),
        status: exchange.status.map(u64::from),
        nonce: exchange
            .answer_headers
            .get("dpop-nonce")
            .map(|nonce| nonce.to_str().unwrap().to_owned()),
    }
}

/// Decodes a form into an object; the values of a repeated name are an array.
fn form(body: &[u8]) -> Map<String, Value> {
    let mut form = Map::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        let value = Value::from(value.into_owned());
        match form.get_mut(&*name) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => drop(form.insert(name.into_owned(), value)),
        }
    }
    form
}
