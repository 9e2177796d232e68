//! The sandbox as a driver: it performs the calls of machines, in virtual time.

pub(crate) mod flows;
pub(crate) mod process;
pub(crate) mod records;

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
    /// Runs a machine to its end in the sandbox's own process, and returns its result.
    ///
    /// All calls of the machine are in flight at the same time, as with an async driver. The clock
    /// moves only while the machine waits for replies. Shared machines run to their ends, too.
    ///
    /// # Errors
    ///
    /// Fails with the error of the machine.
    pub fn run<M: Machine>(&mut self, machine: M) -> Result<M::Output, M::Error> {
        self.with_process(|sandbox, process| sandbox.run_in(process, machine))
    }

    /// Runs a machine like [`run`](Self::run), but in `process`, which has its own entropy, memory,
    /// keys, remote signers and clock.
    ///
    /// # Errors
    ///
    /// Fails with the error of the machine.
    pub fn run_in<M: Machine>(
        &mut self,
        process: &mut Process,
        machine: M,
    ) -> Result<M::Output, M::Error> {
        flows::run(self, process, vec![machine]).pop().expect("one machine has one result")
    }

    /// Runs machines concurrently, as tasks of one process, and returns their results in the order
    /// of the machines.
    ///
    /// If several machines ask for the same shared machine, it runs once for all of them. Events at
    /// the same time are handled in the order in which they were scheduled, and the machines start
    /// in the order in which they are given.
    pub fn run_all<M: Machine>(
        &mut self,
        machines: impl IntoIterator<Item = M>,
    ) -> Vec<Result<M::Output, M::Error>> {
        let machines = machines.into_iter().collect();
        self.with_process(|sandbox, process| flows::run(sandbox, process, machines))
    }

    /// Performs one call and returns its reply, as the blocking transport of
    /// [`drive`](atproto_sansio::drive) or of another driver does. The clock has moved by the
    /// duration of the call when this returns.
    pub fn respond(&mut self, call: Call) -> Reply {
        self.with_process(|sandbox, process| sandbox.respond_in(process, call))
    }

    /// Performs one call like [`respond`](Self::respond), but in `process`: a `Sign` call uses its
    /// remote signers, and a shared machine runs with its entropy, memory, keys and clock.
    pub fn respond_in(&mut self, process: &mut Process, call: Call) -> Reply {
        self.advance(self.time_of(&call));
        let (late, reply) = self.answer(process, call);
        self.advance(late);
        reply
    }

    /// Returns the sandbox's own process, in which [`run`](Self::run), [`run_all`](Self::run_all)
    /// and [`respond`](Self::respond) work.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Calls `run` with a copy of the sandbox's own process, and keeps the copy afterwards.
    fn with_process<T>(&mut self, run: impl FnOnce(&mut Self, &mut Process) -> T) -> T {
        // The copy shares its memory with the original, so the memory survives a panic of `run`.
        // The original skips entropy, so that after a panic it does not draw the same bytes again.
        let mut process = self.process.clone();
        self.process.skip_entropy();
        let result = run(self, &mut process);
        self.process = process;
        result
    }

    /// Returns the duration of a call without faults.
    pub(crate) fn time_of(&self, call: &Call) -> Duration {
        match call {
            Call::Http(http) => self.latency.min(http.timeout),
            Call::Txt(txt) => self.latency.min(txt.timeout),
            Call::Sleep(sleep) => sleep.duration,
            Call::Store(_) | Call::Shared(_) | Call::Sign(_) | Call::Notify(_) => Duration::ZERO,
        }
    }

    /// Performs a call, and returns the reply and its additional delay.
    pub(crate) fn answer(&mut self, process: &mut Process, call: Call) -> (Duration, Reply) {
        let reply = match call {
            Call::Http(call) => return self.answer_http(call),
            Call::Txt(call) => return self.answer_txt(call),
            Call::Sleep(call) => call.respond.with(Ok(())),
            Call::Sign(call) => {
                let (time, signed) = process.sign(&call.key_id, &call.message);
                let failed = |phase, why: String| Err(TransportError::new(phase, why));
                let signed = match signed {
                    _ if time > call.timeout => {
                        let why = "the remote signer did not answer within the timeout of the call";
                        failed(Phase::TimedOut, why.to_owned())
                    }
                    Ok(signature) => Ok(signature),
                    Err(why) => failed(Phase::NotSent, why),
                };
                return (time.min(call.timeout), call.respond.with(signed));
            }
            Call::Shared(call) => {
                let Ok(result) = self.run_in(process, call.machine);
                call.respond.with(Ok(result))
            }
            Call::Store(call) => self.records.perform(call),
            Call::Notify(call) => {
                process.hear(call.notice);
                call.respond.with(Ok(()))
            }
        };
        (Duration::ZERO, reply)
    }

    fn answer_http(&mut self, call: HttpCall) -> (Duration, Reply) {
        let fail = |phase, why: &str| Err(TransportError::new(phase, why));
        let sent = self.now - self.latency.min(call.timeout);
        if call.start_by.is_some_and(|by| sent > by) {
            let reply = call
                .respond
                .with(fail(Phase::NotSent, "the latest start of the call (`start_by`) has passed"));
            return (Duration::ZERO, reply);
        }
        let Body::Bytes(body) = call.request.body() else {
            let reply = call.respond.with(fail(
                Phase::Unsupported,
                "an attached request body is only supported on sockets (feature `serve`)",
            ));
            return (Duration::ZERO, reply);
        };
        let body = body.clone();
        let delivery = self.exchange(call.request.map(|_| body));
        let late = delivery.delay.saturating_add(delivery.trickle);
        let is_silent = matches!(delivery.outcome, Outcome::Silence);
        if is_silent || self.latency.saturating_add(late) > call.timeout {
            let reply = call.respond.with(fail(
                Phase::TimedOut,
                "there was no response within the timeout of the call",
            ));
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
            let reply = call.respond.with(fail(
                Phase::TimedOut,
                "the latency is longer than the timeout of the lookup",
            ));
            return (Duration::ZERO, reply);
        }
        let (late, outcome) = match found {
            Dns::Records(records) => (Duration::ZERO, Ok(records)),
            Dns::NoSuchName => (Duration::ZERO, Ok(Vec::new())),
            Dns::Fails => (
                Duration::ZERO,
                fail(Phase::MaybeSent, "the nameserver reported a failure (`Dns::Fails`)"),
            ),
            Dns::Silent => {
                let rest = call.timeout.saturating_sub(self.latency);
                (rest, fail(Phase::TimedOut, "the nameserver did not answer (`Dns::Silent`)"))
            }
        };
        (late, call.respond.with(outcome))
    }
}
