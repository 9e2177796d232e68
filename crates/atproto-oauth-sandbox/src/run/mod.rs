//! Answering calls, and running machines in virtual time.

pub(crate) mod flows;
pub(crate) mod process;

use std::time::Duration;

use atproto_sansio::{
    Answer, Body, Call, HttpCall, Machine, Phase, Reply, TransportError, TxtCall,
};
use bytes::Bytes;
use http::Response;

use crate::accounts::handles::Dns;
use crate::faults::delivery::Outcome;
use crate::run::process::Process;
use crate::sandbox::Sandbox;

impl Sandbox {
    /// Runs a machine to its end as an async driver does: all its calls are outstanding together, and
    /// time passes only while it waits for them. What it shares runs to its end too.
    ///
    /// # Errors
    ///
    /// What it ends in.
    pub fn run<M: Machine>(&mut self, machine: M) -> Result<M::Output, M::Error> {
        self.with_process(|sandbox, process| sandbox.run_in(process, machine))
    }

    /// The same, in a process of one's own.
    ///
    /// # Errors
    ///
    /// What it ends in.
    pub fn run_in<M: Machine>(
        &mut self,
        process: &mut Process,
        machine: M,
    ) -> Result<M::Output, M::Error> {
        flows::run(self, process, vec![machine]).pop().expect("one machine has one end")
    }

    /// Runs machines beside each other, as tasks of one process: what each of them ends in.
    ///
    /// What several of them share runs once. Of what happens at the same time, the first machine's
    /// comes first.
    pub fn run_all<M: Machine>(
        &mut self,
        machines: impl IntoIterator<Item = M>,
    ) -> Vec<Result<M::Output, M::Error>> {
        let machines = machines.into_iter().collect();
        self.with_process(|sandbox, process| flows::run(sandbox, process, machines))
    }

    /// Performs one call, as a blocking transport does: for [`drive`](atproto_sansio::drive) and for
    /// drivers of one's own. The time that it takes has passed when it returns.
    pub fn respond(&mut self, call: Call) -> Reply {
        self.with_process(|sandbox, process| sandbox.respond_in(process, call))
    }

    /// The same, in a process of one's own.
    pub fn respond_in(&mut self, process: &mut Process, call: Call) -> Reply {
        self.advance(self.time_of(&call));
        let (late, reply) = self.answer(process, call);
        self.advance(late);
        reply
    }

    /// The process in which [`run`](Self::run) runs machines.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn with_process<T>(&mut self, run: impl FnOnce(&mut Self, &mut Process) -> T) -> T {
        // It shares everything but the entropy, so what it learns stays if `run` panics.
        let mut process = self.process.clone();
        self.process.skip_entropy();
        let result = run(self, &mut process);
        self.process = process;
        result
    }

    /// How long a call takes, faults aside.
    pub(crate) fn time_of(&self, call: &Call) -> Duration {
        match call {
            Call::Http(http) => self.latency.min(http.timeout),
            Call::Txt(txt) => self.latency.min(txt.timeout),
            Call::Sleep(sleep) => sleep.duration,
            Call::Store(_) | Call::Shared(_) | Call::Sign(_) => Duration::ZERO,
        }
    }

    /// What is answered, and how much later than usual.
    pub(crate) fn answer(&mut self, process: &mut Process, call: Call) -> (Duration, Reply) {
        let reply = match call {
            Call::Http(call) => return self.answer_http(call),
            Call::Txt(call) => return self.answer_txt(call),
            Call::Sleep(call) => call.respond.with(Ok(())),
            Call::Sign(call) => {
                let signed = process.sign(&call.key_id, &call.message);
                let failed = |why| TransportError::new(Phase::NotSent, why);
                call.respond.with(signed.map_err(failed))
            }
            Call::Shared(call) => {
                let Ok(()) = self.run_in(process, call.machine);
                call.respond.with(Ok(()))
            }
            Call::Store(_) => call.unsupported(),
        };
        (Duration::ZERO, reply)
    }

    fn answer_http(&mut self, call: HttpCall) -> (Duration, Reply) {
        let fail = |phase, why: &str| Err(TransportError::new(phase, why));
        let sent = self.now - self.latency.min(call.timeout);
        if call.start_by.is_some_and(|by| sent > by) {
            let reply = call.respond.with(fail(Phase::NotSent, "it is too late to start"));
            return (Duration::ZERO, reply);
        }
        let Body::Bytes(body) = call.request.body() else {
            let reply = call.respond.with(fail(Phase::Unsupported, "there are no streams here"));
            return (Duration::ZERO, reply);
        };
        let body = body.clone();
        let delivery = self.exchange(call.request.map(|_| body));
        let late = delivery.delay.saturating_add(delivery.trickle);
        let is_silent = matches!(delivery.outcome, Outcome::Silence);
        if is_silent || self.latency.saturating_add(late) > call.timeout {
            let reply = call.respond.with(fail(Phase::TimedOut, "there was no answer in time"));
            return (call.timeout.saturating_sub(self.latency), reply);
        }
        let head_alone = |response: Response<Bytes>| match call.answer {
            Answer::Streamed { .. } if response.status().is_success() => {
                response.map(|_| Bytes::new())
            }
            _ => response,
        };
        (late, call.respond.with(delivery.into_result().map(head_alone)))
    }

    fn answer_txt(&mut self, call: TxtCall) -> (Duration, Reply) {
        let fail = |phase, why: &str| Err(TransportError::new(phase, why));
        let found = self.look_up(&call.name);
        if self.latency > call.timeout {
            let reply = call.respond.with(fail(Phase::TimedOut, "the nameserver is far away"));
            return (Duration::ZERO, reply);
        }
        let (late, outcome) = match found {
            Dns::Records(records) => (Duration::ZERO, Ok(records)),
            Dns::NoSuchName => (Duration::ZERO, Ok(Vec::new())),
            Dns::Fails => (Duration::ZERO, fail(Phase::MaybeSent, "the nameserver failed")),
            Dns::Silent => {
                let rest = call.timeout.saturating_sub(self.latency);
                (rest, fail(Phase::TimedOut, "the nameserver is silent"))
            }
        };
        (late, call.respond.with(outcome))
    }
}
