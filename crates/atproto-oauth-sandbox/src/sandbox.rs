//! The network as a value: what it holds, and the way of a request through it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use atproto_sansio::UnixTime;
use bytes::Bytes;
use http::{Request, Response};

use crate::accounts::account::Account;
use crate::accounts::handles::{Dns, HandleAnswers};
use crate::entropy::Seeded;
use crate::faults::action::Action;
use crate::faults::delivery::{Delivery, Outcome};
use crate::faults::fault::Fault;
use crate::incoming::Incoming;
use crate::log::{By, Exchange, Seen};
use crate::names::Names;
use crate::run::process::Process;
use crate::server::{Server, ServerId};

/// A small AT Protocol network in memory.
///
/// It is pure: the same seed and the same calls give the same answers, and time passes only when it
/// is told to. Its `Debug` prints no accounts and no tokens.
pub struct Sandbox {
    pub(crate) now: UnixTime,
    pub(crate) latency: Duration,
    pub(crate) entropy: Seeded,
    pub(crate) names: Names,
    pub(crate) servers: Vec<Server>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) handles: BTreeMap<String, HandleAnswers>,
    pub(crate) documents: BTreeMap<String, Response<Bytes>>,
    pub(crate) process: Process,
    /// How long servers have waited for what they fetched to answer the request that is served.
    pub(crate) fetching: Duration,
    faults: Vec<Fault>,
    log: Vec<Seen>,
    /// How many things were in the log before those that are.
    forgotten: usize,
    keeps_log: bool,
}

/// When a sandbox begins: 2026-01-01T00:00:00Z.
pub(crate) const START: UnixTime = UnixTime::from_secs(1_767_225_600);

/// How many things a log holds at most; then the oldest tenth goes.
const KEPT: usize = 10_000;

/// The largest body that is kept in the log.
pub(crate) const LARGEST_KEPT: usize = 64 * 1024;

impl Sandbox {
    /// A network without servers and accounts; `names` says where its directories are.
    ///
    /// # Panics
    ///
    /// A name is not one: an origin is like `https://pds.example.com`, a host like `example.com`.
    pub fn empty(seed: u64, names: Names) -> Self {
        Self {
            now: START,
            latency: Duration::ZERO,
            entropy: Seeded::new("network", seed),
            names: names.canonical(),
            servers: Vec::new(),
            accounts: Vec::new(),
            handles: BTreeMap::new(),
            documents: BTreeMap::new(),
            process: Process::of("the network's own process", seed),
            fetching: Duration::ZERO,
            faults: Vec::new(),
            log: Vec::new(),
            forgotten: 0,
            keeps_log: true,
        }
    }

    /// What its clocks say.
    pub fn now(&self) -> UnixTime {
        self.now
    }

    /// Time passes.
    pub fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    /// It is this late now: for those who drive machines by a real clock. Time does not go back.
    pub fn set_now(&mut self, now: UnixTime) {
        self.now = self.now.max(now);
    }

    /// From now on every call takes this long, there and back.
    pub fn set_latency(&mut self, latency: Duration) {
        self.latency = latency;
    }

    /// Where its hosts are.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// From now on this goes wrong, as often as it says. What meets several faults meets them in the
    /// order in which they were given.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// What it saw since the log was cleared, in the order of arrival: the last 9 000 requests and
    /// look-ups at least, without bodies of more than 64 KiB.
    pub fn log(&self) -> &[Seen] {
        &self.log
    }

    /// The requests in the log that came from outside.
    pub fn requests(&self) -> impl Iterator<Item = &Exchange> {
        self.log.iter().filter_map(|seen| match seen {
            Seen::Request(exchange) if exchange.by == By::Client => Some(&**exchange),
            _ => None,
        })
    }

    /// Empties the log.
    pub fn clear_log(&mut self) {
        self.log.clear();
    }

    /// Whether to keep a log from now on. It grows with every request.
    pub fn keep_log(&mut self, keep: bool) {
        self.keeps_log = keep;
    }

    /// What becomes of a request with an absolute URL.
    pub fn exchange(&mut self, request: Request<Bytes>) -> Delivery {
        match Incoming::read(request) {
            Some(request) => self.carry(By::Client, request),
            None => Delivery::now(Outcome::Refused),
        }
    }

    /// What DNS answers to a question for TXT records. The name has no final dot.
    pub fn look_up(&mut self, name: &str) -> Dns {
        let name = name.to_ascii_lowercase();
        let handle = name.strip_prefix("_atproto.").unwrap_or(&name);
        let faults = self.faults.iter_mut().filter_map(|fault| fault.meet_lookup(handle));
        let answer = faults.last().unwrap_or_else(|| match self.handles.get(handle) {
            Some(answers) if handle != name => answers.dns.clone(),
            _ => Dns::NoSuchName,
        });
        self.faults.retain(|fault| !fault.is_over());
        self.note(Seen::Lookup { at: self.now, name, answer: answer.clone() });
        answer
    }

    /// Takes a request through the faults to its host and back.
    pub(crate) fn carry(&mut self, by: By, request: Incoming) -> Delivery {
        let actions: Vec<Action> =
            self.faults.iter_mut().filter_map(|fault| fault.meet(by, &request)).collect();
        self.faults.retain(|fault| !fault.is_over());
        let mut exchange = Exchange::new(self.now, by, &request);
        let names: Vec<&str> = actions.iter().map(Action::name).collect();
        exchange.fault = (!names.is_empty()).then(|| names.join(", "));
        let number = self.note(Seen::Request(Box::new(exchange)));
        let outcome = self.serve(&request, &actions);
        let answered = match &outcome {
            Outcome::Whole(response) => Some(response.clone()),
            _ => None,
        };
        let mut delivery = Delivery::of(outcome, &actions);
        if by == By::Client {
            delivery.delay = delivery.delay.saturating_add(std::mem::take(&mut self.fetching));
        }
        // What its server has fetched meanwhile is in the log behind it.
        let at = number.checked_sub(self.forgotten);
        let seen = at.and_then(|at| self.log.get_mut(at));
        if let (Some(Seen::Request(exchange)), Some(response)) = (seen, answered) {
            exchange.delivered = matches!(delivery.outcome, Outcome::Whole(_));
            exchange.answer(response);
        }
        delivery
    }

    /// What the request's host answers, or who is in its place, if it gets there.
    fn serve(&mut self, request: &Incoming, actions: &[Action]) -> Outcome {
        let mut instead = None;
        for action in actions {
            match action {
                Action::Refuse => return Outcome::Refused,
                Action::Drop => return Outcome::Broken,
                Action::ResetNonces => {
                    if let Some(at) = self.server_at(&request.origin()) {
                        self.reset_nonces(at);
                    }
                }
                Action::Answer(response) => instead = Some(response.clone()),
                _ => {}
            }
        }
        match instead.or_else(|| self.route(request)) {
            Some(mut response) => {
                actions.iter().for_each(|action| action.change(&mut response));
                Outcome::Whole(response)
            }
            None => Outcome::Refused,
        }
    }

    /// Puts something into the log and gives its number, counted from the first that ever was there.
    fn note(&mut self, seen: Seen) -> usize {
        if !self.keeps_log {
            return usize::MAX;
        }
        if self.log.len() >= KEPT {
            self.log.drain(..KEPT / 10);
            self.forgotten += KEPT / 10;
        }
        self.log.push(seen);
        self.forgotten + self.log.len() - 1
    }

    pub(crate) fn server_at(&self, origin: &str) -> Option<ServerId> {
        self.servers.iter().position(|server| server.origin == origin).map(ServerId)
    }

    pub(crate) fn server(&self, at: ServerId) -> &Server {
        self.servers.get(at.0).expect("a server's id is of its own sandbox")
    }

    pub(crate) fn server_mut(&mut self, at: ServerId) -> &mut Server {
        self.servers.get_mut(at.0).expect("a server's id is of its own sandbox")
    }

    /// What the clock of a server says.
    pub(crate) fn clock(&self, at: ServerId) -> UnixTime {
        self.server(at).clock(self.now)
    }

    /// Whether an account's name is this one.
    pub(crate) fn is_called(&self, did: &str, name: &str) -> bool {
        self.accounts.iter().any(|account| account.did == did && account.is_called(name))
    }

    /// Whom access tokens of an account are for.
    ///
    /// `None`, if the server at `issuer` does not speak for it any more.
    pub(crate) fn audience(&self, issuer: ServerId, did: &str) -> Option<String> {
        let account = self.accounts.iter().find(|account| account.did == did)?;
        let server = self.server(account.server);
        (server.issuer == issuer).then(|| server.did.clone())
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("now", &self.now)
            .field("servers", &self.servers.len())
            .field("accounts", &self.accounts.len())
            .field("seen", &self.log.len())
            .finish_non_exhaustive()
    }
}
