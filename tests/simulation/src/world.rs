//! One schedule: processes, a store, a network, and everything that goes wrong between them.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use atproto_oauth_core::{Client, Scopes, SessionEvent, SessionKey, Sessions};
use atproto_oauth_sandbox::{Habits, Sandbox};
use atproto_sansio::{
    Body, Call, Flow, HttpCall, Output, Phase, Reply, SharedCall, SharedResult, StoreCall,
    TransportError, UnixTime,
};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;
use url::form_urlencoded;

use crate::host::{End, Host, Running, Task, shared};
use crate::ledger::{Excuse, Ledger};
use crate::random::Random;
use crate::sabotage::Sabotage;
use crate::store::{self, Fate, Records};

/// A schedule in progress.
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
    pub(crate) sessions: Sessions,
    pub(crate) store: Records,
    pub(crate) hosts: Vec<Host>,
    pub(crate) ledger: Ledger,
    pub(crate) sabotage: Option<Sabotage>,
    is_traced: bool,
    begun: UnixTime,
    /// Whether anything may go wrong.
    pub(crate) is_faulty: bool,
    pub(crate) store_down_until: UnixTime,
    /// The results of machines that nobody but the plan waits for.
    pub(crate) ended: Vec<(usize, End)>,
    running: Vec<Running>,
    events: Vec<Option<Event>>,
    due: BinaryHeap<Reverse<(UnixTime, usize)>>,
}

/// Something that happens at a time.
enum Event {
    /// A request that waited for a connection leaves its host.
    Leaves { at: usize, call: HttpCall },
    /// A request arrives at its server.
    Arrives { at: usize, call: HttpCall, loses_answer: bool },
    /// A call of another kind is performed.
    Performs { at: usize, call: Call },
    /// An operation arrives at the store.
    Stores { at: usize, call: StoreCall, fate: Fate },
    /// A reply arrives at its host.
    Reply { at: usize, reply: Reply },
    /// The time of an asker for a shared machine is over.
    GivesUp { at: usize, run: usize },
    /// The plan does something.
    Plan(usize),
}

impl World {
    pub(crate) fn new(seed: u64, hosts: usize, sabotage: Option<Sabotage>) -> Self {
        let mut sandbox = Sandbox::new(seed);
        sandbox.keep_log(false);
        let begun = sandbox.now();
        let pds = sandbox.find_server(&sandbox.names().pds).expect("the network has a PDS");
        let mut habits = Habits::reference();
        // Signatures are made for each request all the same; to verify them is three times as much work.
        habits.verifies_proofs = false;
        sandbox.set_habits(pds, habits);
        sandbox.set_access_token_lifetime(pds, Duration::from_secs(60));
        let scopes = Scopes::parse("atproto transition:generic").expect("the scopes are valid");
        let client = Client::loopback(scopes).redirect_path("/callback").build();
        let client = client.expect("the client is valid");
        let hosts = (0..hosts).map(|host| Host::new(seed ^ (host as u64) << 32)).collect();
        Self {
            random: Random::new(seed),
            sandbox,
            sessions: Sessions::new(&client),
            client,
            store: Records::new(seed, sabotage),
            hosts,
            ledger: Ledger::default(),
            sabotage,
            is_traced: std::env::var_os("SIMULATION_TRACE").is_some(),
            begun,
            is_faulty: false,
            store_down_until: UnixTime::default(),
            ended: Vec::new(),
            running: Vec::new(),
            events: Vec::new(),
            due: BinaryHeap::new(),
        }
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.sandbox.now()
    }

    /// Prints what happens, if `SIMULATION_TRACE` is set.
    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        if self.is_traced {
            eprintln!("{:.3} {}", self.now().since(self.begun).as_secs_f64(), what());
        }
    }

    /// Schedules a step of the plan.
    pub(crate) fn plan(&mut self, after: Duration, step: usize) {
        self.add(after, Event::Plan(step));
    }

    /// Begins a machine in a process, and returns its index.
    pub(crate) fn begin(&mut self, host: usize, task: Task) -> usize {
        let at = self.add_running(host, task, None);
        self.poll(at);
        at
    }

    fn add_running(
        &mut self,
        host: usize,
        task: Task,
        key: Option<atproto_sansio::SharedKey>,
    ) -> usize {
        let (flow, life) = (Some(Flow::new(task)), self.hosts[host].life);
        self.running.push(Running { host, life, flow, key, askers: Vec::new() });
        self.running.len() - 1
    }

    fn add(&mut self, after: Duration, event: Event) {
        self.due.push(Reverse((self.now() + after, self.events.len())));
        self.events.push(Some(event));
    }

    /// Handles the next event. Returns the step of the plan if it is one, and `None` if nothing is left
    /// to happen.
    pub(crate) fn step(&mut self) -> Option<Option<usize>> {
        let Reverse((due, number)) = self.due.pop()?;
        let event = self.events.get_mut(number)?.take()?;
        self.sandbox.set_now(due);
        match event {
            Event::Plan(step) => return Some(Some(step)),
            Event::Leaves { at, call } => self.leave(at, call),
            Event::Arrives { at, call, loses_answer } => self.arrive(at, call, loses_answer),
            Event::Performs { at, call } => self.perform(at, call),
            Event::Stores { at, call, fate } => self.store(at, call, fate),
            Event::Reply { at, reply } => self.deliver(at, reply),
            Event::GivesUp { at, run } => self.give_up(at, run),
        }
        Some(None)
    }

    /// Whether the machine still exists: it has not ended, and its process lives.
    fn is_alive(&self, at: usize) -> bool {
        let running = &self.running[at];
        running.flow.is_some() && self.hosts[running.host].life == running.life
    }

    /// Hands a reply over, now or at the end of a pause.
    fn deliver(&mut self, at: usize, reply: Reply) {
        if !self.is_alive(at) {
            return;
        }
        let pause = self.hosts[self.running[at].host].paused_until.since(self.now());
        if !pause.is_zero() {
            return self.add(pause, Event::Reply { at, reply });
        }
        if let Some(flow) = &mut self.running[at].flow {
            flow.handle_reply(reply);
        }
        self.poll(at);
    }

    /// Polls a machine, and every other one that becomes ready.
    fn poll(&mut self, at: usize) {
        let mut ready = vec![at];
        while let Some(at) = ready.pop() {
            if !self.is_alive(at) {
                continue;
            }
            let (host, now) = (self.running[at].host, self.now());
            let Some(flow) = &mut self.running[at].flow else { continue };
            let unnoticed = self.hosts[host].unnoticed;
            let mut env = self.hosts[host].process.env(now);
            env.now = env.now - unnoticed;
            env.elapsed = env.elapsed.saturating_sub(unnoticed);
            if self.sabotage == Some(Sabotage::FastMonotonicClock) {
                env.elapsed = env.elapsed.saturating_mul(20);
            }
            match flow.poll_output(&mut env) {
                Output::Call(Call::Shared(call)) => {
                    ready.push(at);
                    ready.extend(self.share(at, call));
                }
                Output::Call(call) => {
                    ready.push(at);
                    self.take(at, call);
                }
                Output::Wait => {}
                Output::Done(Ok(end)) => {
                    self.running[at].flow = None;
                    let askers = std::mem::take(&mut self.running[at].askers);
                    match (end, self.running[at].key.clone()) {
                        (End::Shared(result), Some(_)) => {
                            for (asker, respond) in askers {
                                if let Some(flow) = &mut self.running[asker].flow {
                                    flow.handle_reply(respond.with(Ok(result.clone())));
                                }
                                ready.push(asker);
                            }
                        }
                        (end, _) => self.ended.push((at, end)),
                    }
                }
            }
        }
    }

    fn share(&mut self, at: usize, call: SharedCall) -> Option<usize> {
        let SharedCall { key, machine, timeout, is_detached, respond } = call;
        let host = self.running[at].host;
        let known = (0..self.running.len()).find(|run| {
            let running = &self.running[*run];
            self.is_alive(*run) && running.host == host && running.key.as_ref() == Some(&key)
        });
        let run = known.unwrap_or_else(|| self.add_running(host, shared(machine), Some(key)));
        if is_detached {
            if let Some(flow) = &mut self.running[at].flow {
                flow.handle_reply(respond.with(Ok(SharedResult::begun())));
            }
        } else {
            self.running[run].askers.push((at, respond));
            self.add(timeout.min(Duration::from_secs(3600)), Event::GivesUp { at, run });
        }
        known.is_none().then_some(run)
    }

    fn give_up(&mut self, at: usize, run: usize) {
        let Some(index) = self.running[run].askers.iter().position(|(asker, _)| *asker == at)
        else {
            return;
        };
        let (_, respond) = self.running[run].askers.swap_remove(index);
        let error = TransportError::new(Phase::TimedOut, "the shared run takes longer");
        self.deliver(at, respond.with(Err(error)));
    }

    /// Decides how a call goes, and schedules it.
    fn take(&mut self, at: usize, call: Call) {
        match call {
            Call::Http(call) => {
                // Now and then there is no connection at once.
                let most =
                    if self.sabotage == Some(Sabotage::StartByIgnored) { 90_000 } else { 9_000 };
                let wait = match self.is_faulty && self.random.permille(30) {
                    true => self.random.millis(0, most),
                    false => Duration::ZERO,
                };
                match wait.is_zero() {
                    true => self.leave(at, call),
                    false => self.add(wait, Event::Leaves { at, call }),
                }
            }
            Call::Store(call) => {
                let is_down = self.store_down_until > self.now();
                let fate = match self.random.below(1000) {
                    _ if is_down => Fate::Fails,
                    _ if !self.is_faulty => Fate::Works,
                    0..=19 => Fate::Fails,
                    20..=34 => Fate::LosesRequest,
                    35..=54 => Fate::LosesAnswer,
                    85..=114 => Fate::IsStale,
                    55..=84 if self.sabotage == Some(Sabotage::WritesForgotten) => {
                        Fate::IsForgotten
                    }
                    _ => Fate::Works,
                };
                let most = if self.is_faulty && self.random.permille(20) { 2_000 } else { 20 };
                let time = self.random.millis(0, most);
                self.add(time, Event::Stores { at, call, fate });
            }
            Call::Sleep(call) => {
                let (after, reply) = (call.duration, call.respond.with(Ok(())));
                self.add(after, Event::Reply { at, reply });
            }
            Call::Notify(call) => {
                if let Some(event) = call.notice.downcast_ref::<SessionEvent>() {
                    let host = self.running[at].host;
                    self.trace(|| format!("host {host}: {:?}", event.change));
                    self.ledger.told(event);
                }
                let reply = call.respond.with(Ok(()));
                self.add(Duration::ZERO, Event::Reply { at, reply });
            }
            call @ (Call::Txt(_) | Call::Shared(_) | Call::Sign(_)) => {
                let time = self.random.millis(1, 100);
                self.add(time, Event::Performs { at, call });
            }
        }
    }

    /// A driver that has waited checks the time again.
    fn leave(&mut self, at: usize, call: HttpCall) {
        let host = &mut self.hosts[self.running[at].host];
        let wall = host.process.env(self.sandbox.now()).now - host.unnoticed;
        let is_late = call.start_by.is_some_and(|by| wall > by);
        if is_late && self.sabotage != Some(Sabotage::StartByIgnored) {
            let error = TransportError::new(Phase::NotSent, "too late");
            let reply = call.respond.with(Err(error));
            return self.add(Duration::ZERO, Event::Reply { at, reply });
        }
        let there = match self.is_faulty && self.random.permille(20) {
            true => self.random.millis(0, 8_000),
            false => self.random.millis(1, 150),
        };
        let fate = if self.is_faulty { self.random.below(1000) } else { 999 };
        match fate {
            0..=14 => {
                let error = TransportError::new(Phase::NotSent, "no connection");
                let reply = call.respond.with(Err(error));
                self.add(there, Event::Reply { at, reply });
            }
            15..=24 => {
                let error = TransportError::new(Phase::TimedOut, "the request was lost");
                let (after, reply) = (call.timeout, call.respond.with(Err(error)));
                self.add(after, Event::Reply { at, reply });
            }
            25..=34 => {
                let page = Response::builder().status(StatusCode::BAD_GATEWAY);
                let page = page.body(Bytes::from_static(b"<html>Bad gateway</html>"));
                let reply = call.respond.with(Ok(page.expect("the response is valid")));
                self.add(there, Event::Reply { at, reply });
            }
            _ => {
                let loses_answer = (35..=54).contains(&fate);
                self.add(there, Event::Arrives { at, call, loses_answer });
            }
        }
    }

    /// The server handles a request, even if the process that sent it has ended.
    fn arrive(&mut self, at: usize, call: HttpCall, loses_answer: bool) {
        let HttpCall { request, timeout, respond, .. } = call;
        let Body::Bytes(body) = request.body() else { unreachable!("no body is attached") };
        let (body, path) = (body.clone(), request.uri().path().to_owned());
        let is_token = path == "/oauth/token";
        let delivery = self.sandbox.exchange(request.map(|_| body.clone()));
        let result = delivery.into_result();
        let host = self.running[at].host;
        self.trace(|| {
            let status = result.as_ref().map(|response| response.status().as_u16());
            let lost = if loses_answer { ", lost" } else { "" };
            format!("host {host}: {path} {status:?}{lost}")
        });
        if is_token {
            self.observe(at, &body, result.as_ref().ok(), loses_answer);
        } else if path == "/oauth/revoke"
            && let Some(token) = field(&body, "token")
        {
            self.ledger.revoked(&token);
        }
        if loses_answer {
            let error = TransportError::new(Phase::MaybeSent, "the connection broke");
            let after = self.random.millis(1, u64::try_from(timeout.as_millis()).unwrap_or(1000));
            let reply = respond.with(Err(error));
            return self.add(after, Event::Reply { at, reply });
        }
        let back = self.random.millis(1, 150);
        self.add(back, Event::Reply { at, reply: respond.with(result) });
    }

    /// Notes which tokens a token request has spent and brought.
    fn observe(
        &mut self,
        at: usize,
        form: &Bytes,
        response: Option<&Response<Bytes>>,
        loses_answer: bool,
    ) {
        let Some(spent) = field(form, "refresh_token") else { return };
        let success = response.filter(|response| response.status().is_success());
        let json =
            success.and_then(|response| serde_json::from_slice::<Value>(response.body()).ok());
        let new = json.as_ref().and_then(|json| json["refresh_token"].as_str());
        let Running { host, life, .. } = self.running[at];
        self.ledger.arrived(&spent, new, host);
        let (Some(key), Some(_)) = (self.ledger.owner(&spent), new) else { return };
        let holder = &self.hosts[host];
        let excuse = if loses_answer {
            Some(Excuse::ReplyLost)
        } else if holder.life != life {
            Some(Excuse::HolderDied)
        } else if holder.paused_until.since(self.now()) > SHORT {
            Some(Excuse::HolderPaused)
        } else if self.store_down_until.since(self.now()) > SHORT {
            Some(Excuse::StoreFailed)
        } else {
            None
        };
        if let Some(excuse) = excuse {
            self.ledger.excuse(&key, excuse);
        }
    }

    fn perform(&mut self, at: usize, call: Call) {
        if self.is_alive(at) {
            let host = &mut self.hosts[self.running[at].host];
            let reply = self.sandbox.respond_in(&mut host.process, call);
            self.deliver(at, reply);
        }
    }

    fn store(&mut self, at: usize, call: StoreCall, fate: Fate) {
        let host = self.running[at].host;
        self.trace(|| format!("host {host}: {fate:?} {}", store::name(&call)));
        let (ledger, now) = (&mut self.ledger, self.sandbox.now());
        let reply = self.store.perform(call, fate, |key, value| ledger.stored(key, value, now));
        self.deliver(at, reply);
    }

    /// Ends a process: its memory and machines are gone.
    pub(crate) fn crash(&mut self, host: usize) {
        self.ledger.counts.crashes += 1;
        self.trace(|| format!("host {host} crashes"));
        self.ledger.excuse_holders(|holder| holder == host, Excuse::HolderDied);
        self.ledger.drop_held_by(host);
        let life = self.hosts[host].life + 1;
        let seed = self.random.next();
        self.hosts[host] = Host { life, ..Host::new(seed) };
        self.set_clock(host);
        for running in &mut self.running {
            if running.host == host {
                running.flow = None;
                running.askers.clear();
            }
        }
    }

    /// Lets a process stand still.
    pub(crate) fn pause(&mut self, host: usize, time: Duration) {
        self.hosts[host].paused_until = self.now() + time;
        self.trace(|| format!("host {host} stands still for {time:?}"));
        if time > SHORT {
            self.ledger.excuse_holders(|holder| holder == host, Excuse::HolderPaused);
        }
        if self.sabotage == Some(Sabotage::PausesUnnoticed) {
            self.hosts[host].unnoticed += time;
        }
    }

    /// Lets the store fail.
    pub(crate) fn break_store(&mut self, time: Duration) {
        self.store_down_until = self.now() + time;
        self.trace(|| format!("the store fails for {time:?}"));
        if time > SHORT {
            self.ledger.excuse_holders(|_| true, Excuse::StoreFailed);
        }
    }

    /// Sets the clock of a process, within the allowance.
    pub(crate) fn set_clock(&mut self, host: usize) {
        let most = if self.sabotage == Some(Sabotage::ClocksApart) { 1_500_000 } else { 149_000 };
        let by = self.random.millis(0, most);
        match self.random.permille(500) {
            true => self.hosts[host].process.set_clock_ahead(by),
            false => self.hosts[host].process.set_clock_behind(by),
        }
    }

    /// Sends a request from outside of the processes: that of a browser.
    pub(crate) fn approve(&mut self, url: &url::Url, handle: &str) -> Option<String> {
        self.sandbox.approve(url, handle).ok()
    }

    /// Whether a server would renew the session for this refresh token.
    pub(crate) fn is_current(&self, token: &str) -> bool {
        let names = self.sandbox.names();
        let servers = [&names.pds, &names.other_pds];
        let mut servers = servers.into_iter().filter_map(|name| self.sandbox.find_server(name));
        servers.any(|server| self.sandbox.is_current(server, token))
    }

    /// The sessions that the schedule knows.
    pub(crate) fn keys(&self) -> Vec<SessionKey> {
        self.ledger.tracks.keys().cloned().collect()
    }
}

/// Time for which a holder or the store may fail without an excuse: less than the reserve of a lease.
const SHORT: Duration = Duration::from_secs(5);

/// The value of a form's field.
fn field<'a>(form: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(form).find(|(found, _)| found == name).map(|(_, value)| value)
}
