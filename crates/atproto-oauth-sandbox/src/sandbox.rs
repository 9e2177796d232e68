//! The sandbox: its state, its clock, its log, and the path of a request through faults to a host.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use atproto_sansio::{Record, UnixTime};
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
use crate::run::records::Records;
use crate::server::{Server, ServerId};

/// A small AT Protocol network in memory: servers, accounts, DNS, a PLC directory and a clock.
///
/// A sandbox is deterministic: the same seed and the same method calls give the same responses. Its
/// clock moves only if a method moves it, for example [`run`](Self::run) or
/// [`advance`](Self::advance). Its `Debug` prints the time and counts, but no accounts and no
/// tokens.
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
    pub(crate) records: Records,
    /// Time that servers spent on fetches of client documents while they handled the current
    /// request; it is added to the delay of the response.
    pub(crate) fetching: Duration,
    faults: Vec<Fault>,
    log: Vec<Seen>,
    /// Number of entries that were dropped from the log to limit its size.
    dropped: usize,
    keeps_log: bool,
}

/// Time on the clock of a new sandbox: 2026-01-01T00:00:00Z.
pub(crate) const START: UnixTime = UnixTime::from_secs(1_767_225_600);

/// Maximum number of log entries. If the log is full, its oldest tenth is dropped.
const MAX_LOG_ENTRIES: usize = 10_000;

/// Maximum size of a body in the log, in bytes; a larger body is logged as empty.
pub(crate) const MAX_LOGGED_BODY: usize = 64 * 1024;

impl Sandbox {
    /// Creates a network without servers and accounts. The network uses the origins of the PLC
    /// directory and of the DNS over HTTPS resolver in `names`. The syntax of all names is checked.
    ///
    /// # Panics
    ///
    /// Panics if a name is malformed. An origin is like `https://pds.example.com`, a host like
    /// `example.com`.
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
            records: Records::new(seed),
            fetching: Duration::ZERO,
            faults: Vec::new(),
            log: Vec::new(),
            dropped: 0,
            keeps_log: true,
        }
    }

    /// Returns the time on the clock of the network.
    ///
    /// A server's clock may differ from it: see
    /// [`set_server_clock_ahead`](Self::set_server_clock_ahead).
    pub fn now(&self) -> UnixTime {
        self.now
    }

    /// Records in the store of the processes, in the order of their keys.
    pub fn records(&self) -> &BTreeMap<String, Record> {
        self.records.all()
    }

    /// Puts a record into the store of the processes, or removes it: for tests with records that
    /// another version wrote, and for backups that are restored.
    pub fn put_record(&mut self, key: &str, record: Option<Record>) {
        self.records.put(key, record);
    }

    /// Moves the clock forward: nonces rotate, tokens expire, and sessions end.
    pub fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    /// Moves the clock forward to `now`, for a driver that follows a real clock. If `now` is in the
    /// past, the clock does not change.
    pub fn set_now(&mut self, now: UnixTime) {
        self.now = self.now.max(now);
    }

    /// Sets the round-trip time of every HTTP and TXT call; zero by default.
    pub fn set_latency(&mut self, latency: Duration) {
        self.latency = latency;
    }

    /// Returns the origins and hosts of the network, and the suffix of its handles.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Adds a fault, which applies to matching requests until it has applied
    /// [`times`](Fault::times) times. If several faults match a request, all of them apply, in the
    /// order in which they were added.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Returns the requests and DNS lookups since the log was cleared, in the order of arrival.
    ///
    /// The log is limited to 10 000 entries: if it is full, the oldest 1 000 are dropped. A body of
    /// more than 64 KiB is logged as empty.
    pub fn log(&self) -> &[Seen] {
        &self.log
    }

    /// Iterates over the logged requests of clients, without those that servers of the network
    /// sent.
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

    /// Enables or disables the log, which is enabled by default. Existing entries stay.
    pub fn keep_log(&mut self, keep: bool) {
        self.keeps_log = keep;
    }

    /// Performs one HTTP request of a client: returns the response, or the failure of the
    /// connection, with its delays. If the URL is not absolute, the connection is refused.
    ///
    /// The clock does not move.
    pub fn exchange(&mut self, request: Request<Bytes>) -> Delivery {
        match Incoming::read(request) {
            Some(request) => self.carry(By::Client, request),
            None => Delivery::now(Outcome::Refused),
        }
    }

    /// Looks up the TXT records of `name`, which has no final dot, and logs the lookup.
    ///
    /// Only names of the form `_atproto.<handle>` have records. If faults of [`Fault::dns`] match,
    /// the result is the answer of the last of these.
    pub fn look_up(&mut self, name: &str) -> Dns {
        let name = name.to_ascii_lowercase();
        let handle = name.strip_prefix("_atproto.").unwrap_or(&name);
        let faults = self.faults.iter_mut().filter_map(|fault| fault.match_lookup(handle));
        let answer = faults.last().unwrap_or_else(|| match self.handles.get(handle) {
            Some(answers) if handle != name => answers.dns.clone(),
            _ => Dns::NoSuchName,
        });
        self.faults.retain(|fault| !fault.is_over());
        self.append_to_log(Seen::Lookup { at: self.now, name, answer: answer.clone() });
        answer
    }

    /// Delivers a request to its host: applies the faults that match, logs the request, and returns
    /// the outcome for the sender.
    pub(crate) fn carry(&mut self, by: By, request: Incoming) -> Delivery {
        let actions: Vec<Action> =
            self.faults.iter_mut().filter_map(|fault| fault.match_request(by, &request)).collect();
        self.faults.retain(|fault| !fault.is_over());
        let mut exchange = Exchange::new(self.now, by, &request);
        let names: Vec<&str> = actions.iter().map(Action::description).collect();
        exchange.fault = (!names.is_empty()).then(|| names.join(", "));
        let number = self.append_to_log(Seen::Request(Box::new(exchange)));
        if by == By::Client {
            // A page that a browser opened without a request may have fetched documents, too.
            self.fetching = Duration::ZERO;
        }
        let outcome = self.serve(&request, &actions);
        let answered = match &outcome {
            Outcome::Complete(response) => Some(response.clone()),
            _ => None,
        };
        let mut delivery = Delivery::of(outcome, &actions);
        if by == By::Client {
            delivery.delay = delivery.delay.saturating_add(std::mem::take(&mut self.fetching));
        }
        // The request is not always the last entry: fetches of its server are logged after it.
        let at = number.checked_sub(self.dropped);
        let seen = at.and_then(|at| self.log.get_mut(at));
        if let (Some(Seen::Request(exchange)), Some(response)) = (seen, answered) {
            exchange.delivered = matches!(delivery.outcome, Outcome::Complete(_));
            exchange.set_response(response);
        }
        delivery
    }

    /// Returns the response of the host, or of the fault that replaces the host. The outcome is a
    /// failure if a fault stops the request, or if the host does not exist.
    fn serve(&mut self, request: &Incoming, actions: &[Action]) -> Outcome {
        let mut instead = None;
        for action in actions {
            match action {
                Action::Refuse => return Outcome::Refused,
                Action::LoseRequest => return Outcome::Closed,
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
                Outcome::Complete(response)
            }
            None => Outcome::Refused,
        }
    }

    /// Appends an entry to the log and returns its number, which also counts dropped entries. If
    /// the log is disabled, returns `usize::MAX`, which is the number of no entry.
    fn append_to_log(&mut self, seen: Seen) -> usize {
        if !self.keeps_log {
            return usize::MAX;
        }
        if self.log.len() >= MAX_LOG_ENTRIES {
            self.log.drain(..MAX_LOG_ENTRIES / 10);
            self.dropped += MAX_LOG_ENTRIES / 10;
        }
        self.log.push(seen);
        self.dropped + self.log.len() - 1
    }

    /// Returns the server with this canonical origin (`origin::canonical`).
    pub(crate) fn server_at(&self, origin: &str) -> Option<ServerId> {
        self.servers.iter().position(|server| server.origin == origin).map(ServerId)
    }

    pub(crate) fn server(&self, at: ServerId) -> &Server {
        self.servers.get(at.0).expect("the server id was returned by this sandbox")
    }

    pub(crate) fn server_mut(&mut self, at: ServerId) -> &mut Server {
        self.servers.get_mut(at.0).expect("the server id was returned by this sandbox")
    }

    /// Returns the time on the clock of a server, which may differ from the network's clock.
    pub(crate) fn clock(&self, at: ServerId) -> UnixTime {
        self.server(at).clock(self.now)
    }

    /// Whether `name` is the handle or the DID of the account `did`.
    pub(crate) fn is_called(&self, did: &str, name: &str) -> bool {
        self.accounts.iter().any(|account| account.did == did && account.is_called(name))
    }

    /// Returns the audience of access tokens for the account `did`: the DID of its PDS.
    ///
    /// `None` if there is no such account, or if `issuer` is not the authorization server of the
    /// account, for example because the account has moved.
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
