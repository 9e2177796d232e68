//! One trouble at one request, wherever a stage may be.

use std::time::Duration;

use atproto_oauth_core::{CallbackParams, Error, Session, Subject};
use atproto_oauth_sandbox::Fault;
use atproto_oauth_tests::flows::{
    Account, Adapter, InMemory, OnSockets, Sandboxed, Stage, who_am_i,
};
use http::StatusCode;

/// A name, and what it does to one request.
pub(super) type Trouble = (&'static str, fn() -> Fault);

pub(super) const TROUBLES: [Trouble; 14] = [
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

/// A network in which something goes wrong.
pub(super) struct Trial<'a> {
    pub(super) stage: &'a dyn Stage,
    pub(super) network: &'a dyn Sandboxed,
    pub(super) client: &'a dyn Adapter,
    pub(super) account: Account,
    pub(super) trouble: &'static str,
    pub(super) about: String,
}

impl Trial<'_> {
    /// A whole login.
    pub(super) fn log_in(&self) -> Result<Session, Error> {
        let handle = &self.account.handle;
        let begun = self.client.authorize(Subject::parse(handle).unwrap(), &|login| login)?;
        let back = self.stage.approve(&begun.url, handle);
        let params = CallbackParams::parse(&back).unwrap();
        let finished = self.client.callback(begun.pending, params);
        finished.map(|finished| finished.session).map_err(|failed| failed.error)
    }

    /// The status of a call.
    pub(super) fn call(&self, session: &Session) -> Result<u16, Error> {
        Ok(self.client.request(session, who_am_i())?.status().as_u16())
    }

    /// How many sessions the issuer of the account has.
    pub(super) fn sessions(&self) -> usize {
        let sandbox = self.network.sandbox();
        sandbox.sessions(sandbox.find_server(&self.account.issuer).unwrap())
    }

    /// The path of the request that met the trouble, if one did.
    fn met(&self) -> Option<String> {
        let sandbox = self.network.sandbox();
        let met = sandbox.requests().find(|exchange| exchange.fault.is_some())?;
        Some(met.path().to_owned())
    }

    /// What met which trouble.
    pub(super) fn encounter(&self) -> String {
        format!("{}: {}", self.met().unwrap(), self.trouble)
    }
}

/// Does `play` after `prepare` with each trouble at each request, in virtual time and in real time: for
/// accounts that are found by DNS and over HTTPS, one behind an entryway, and for a client that is
/// public and one that is not.
pub(super) fn in_memory<P>(prepare: impl Fn(&Trial<'_>) -> P, mut play: impl FnMut(&Trial<'_>, P)) {
    for (name, is_confidential) in [("alice", true), ("carol", false), ("rita", false)] {
        for (trouble, fault) in TROUBLES {
            for make in [InMemory::together, InMemory::in_turn] {
                at_each_request((trouble, fault), make, name, is_confidential, &prepare, &mut play);
            }
        }
    }
}

/// The same with both adapters. Nobody waits there for an answer that does not come.
pub(super) fn on_sockets<P>(
    prepare: impl Fn(&Trial<'_>) -> P,
    mut play: impl FnMut(&Trial<'_>, P),
) {
    for (trouble, fault) in TROUBLES {
        if !["silence", "too late"].contains(&trouble) {
            for make in [OnSockets::blocking, OnSockets::asynchronous] {
                at_each_request((trouble, fault), make, "alice", false, &prepare, &mut play);
            }
        }
    }
}

fn at_each_request<S: Sandboxed, P>(
    (trouble, fault): Trouble,
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
        let about = format!("{trouble}, {name}, {}, request {at}", client.name());
        let account = stage.account(name);
        let trial = Trial { stage, network, client, account, trouble, about };
        let prepared = prepare(&trial);
        stage.clear_log();
        network.sandbox().fault(fault().skip(at));
        play(&trial, prepared);
        if trial.met().is_none() {
            assert!(at > 0, "{trouble} met nothing");
            return; // there are fewer requests
        }
    }
}
