//! One fault at one request, on any stage.

use std::time::Duration;

use atproto_oauth_core::{CallbackParams, Error, Session, Subject};
use atproto_oauth_sandbox::Fault;
use atproto_oauth_tests::flows::{
    Account, Adapter, InMemory, OnSockets, Sandboxed, Stage, who_am_i,
};
use http::StatusCode;

/// A fault with its name.
pub(super) type NamedFault = (&'static str, fn() -> Fault);

pub(super) const FAULTS: [NamedFault; 14] = [
    ("refused", Fault::refuse),
    ("request lost", Fault::lose_request),
    ("answer lost", Fault::lose_answer),
    ("cut at once", || Fault::cut(0)),
    ("cut", || Fault::cut(20)),
    ("silence", Fault::silence),
    ("too late", || Fault::delay(Duration::from_secs(120))),
    ("padded", || Fault::pad(10 * 1024 * 1024)),
    ("502", || Fault::status(StatusCode::BAD_GATEWAY)),
    ("the server's own 502", || Fault::with_status(StatusCode::BAD_GATEWAY)),
    ("redirect", || Fault::redirect(StatusCode::FOUND, "https://elsewhere.example.com/")),
    ("HTML", || Fault::with_content_type("text/html")),
    ("another body", || Fault::with_body("<html>no JSON</html>")),
    ("nonces reset", Fault::reset_nonces),
];

/// A network with one fault, and a client in it.
pub(super) struct Trial<'a> {
    pub(super) stage: &'a dyn Stage,
    pub(super) network: &'a dyn Sandboxed,
    pub(super) client: &'a dyn Adapter,
    pub(super) account: Account,
    pub(super) kind: &'static str,
    pub(super) about: String,
}

impl Trial<'_> {
    /// Runs a login and its callback.
    pub(super) fn log_in(&self) -> Result<Session, Error> {
        let handle = &self.account.handle;
        let begun = self.client.authorize(Subject::parse(handle).unwrap(), &|login| login)?;
        let back = self.stage.approve(&begun.url, handle);
        let params = CallbackParams::parse(&back).unwrap();
        let finished = self.client.callback(begun.pending, params);
        finished.map(|finished| finished.session).map_err(|failed| failed.error)
    }

    /// Sends a resource request, and returns its status.
    pub(super) fn call(&self, session: &Session) -> Result<u16, Error> {
        Ok(self.client.request(session, who_am_i())?.status().as_u16())
    }

    /// Returns the number of sessions of the account's issuer.
    pub(super) fn sessions(&self) -> usize {
        let sandbox = self.network.sandbox();
        sandbox.sessions(sandbox.find_server(&self.account.issuer).unwrap())
    }

    /// Returns the path of the request that had the fault; `None` if no request had it.
    fn met(&self) -> Option<String> {
        let sandbox = self.network.sandbox();
        let met = sandbox.requests().find(|exchange| exchange.fault.is_some())?;
        Some(met.path().to_owned())
    }

    /// Returns the path of the request and the name of its fault.
    pub(super) fn encounter(&self) -> String {
        format!("{}: {}", self.met().unwrap(), self.kind)
    }
}

/// Runs `prepare`, then `play` with each fault at each request, in virtual time and in real time.
/// The accounts are resolved by DNS, over HTTPS, and behind an entryway; one client is
/// confidential.
pub(super) fn in_memory<P>(prepare: impl Fn(&Trial<'_>) -> P, mut play: impl FnMut(&Trial<'_>, P)) {
    for (name, is_confidential) in [("alice", true), ("carol", false), ("rita", false)] {
        for (kind, fault) in FAULTS {
            for make in [InMemory::together, InMemory::in_turn] {
                at_each_request((kind, fault), make, name, is_confidential, &prepare, &mut play);
            }
        }
    }
}

/// Runs `prepare` and `play` like [`in_memory`], on sockets with both adapters. Faults that only a
/// timeout ends are left out, because they would take real time.
pub(super) fn on_sockets<P>(
    prepare: impl Fn(&Trial<'_>) -> P,
    mut play: impl FnMut(&Trial<'_>, P),
) {
    for (kind, fault) in FAULTS {
        if !["silence", "too late"].contains(&kind) {
            for make in [OnSockets::blocking, OnSockets::asynchronous] {
                at_each_request((kind, fault), make, "alice", false, &prepare, &mut play);
            }
        }
    }
}

fn at_each_request<S: Sandboxed, P>(
    (kind, fault): NamedFault,
    make: fn() -> S,
    name: &str,
    is_confidential: bool,
    prepare: impl Fn(&Trial<'_>) -> P,
    mut play: impl FnMut(&Trial<'_>, P),
) {
    for at in 0.. {
        let stage = &make();
        let (network, stage): (&dyn Sandboxed, &dyn Stage) = (stage, stage);
        let client = if is_confidential { stage.confidential() } else { stage.loopback() };
        let client = &*stage.run(client);
        let about = format!("{kind}, {name}, {}, request {at}", client.name());
        let account = stage.account(name);
        let trial = Trial { stage, network, client, account, kind, about };
        let prepared = prepare(&trial);
        stage.clear_log();
        network.sandbox().fault(fault().skip(at));
        play(&trial, prepared);
        if trial.met().is_none() {
            assert!(at > 0, "no request had the fault {kind}");
            return; // the procedure has no further request
        }
    }
}
