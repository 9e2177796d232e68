//! Answering calls, and running machines in virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use atproto_sansio::{
    Answer, Body, Call, Flow, HttpCall, Machine, Output, Phase, Reply, TransportError, TxtCall,
    UnixTime,
};
use bytes::Bytes;
use http::Response;

use crate::delivery::Outcome;
use crate::handles::Dns;
use crate::process::Process;
use crate::sandbox::Sandbox;

impl Sandbox {
    /// Runs a machine to its end as an async driver does: all its calls are outstanding together, and
    /// time passes only while it waits for them.
    ///
    /// # Errors
    ///
    /// What it ends in.
    pub fn run<M: Machine>(&mut self, machine: M) -> Result<M::Output, M::Error> {
        let process = std::mem::replace(&mut self.process, Process::new(0));
        let (process, result) = self.run_owned(process, machine);
        self.process = process;
        result
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
        let mut flow = Flow::new(machine);
        let mut outstanding = Outstanding::default();
        loop {
            match flow.poll_output(&mut process.env(self.now)) {
                Output::Call(call) => outstanding.send(self.now + self.time_of(&call), call),
                Output::Wait => {
                    let Some((due, call)) = outstanding.next() else {
                        unreachable!("a machine that waits has asked for something")
                    };
                    self.set_now(due);
                    let reply = self.answer(process, call);
                    flow.handle_reply(reply);
                }
                Output::Done(result) => return result,
            }
        }
    }

    fn run_owned<M: Machine>(
        &mut self,
        mut process: Process,
        machine: M,
    ) -> (Process, Result<M::Output, M::Error>) {
        let result = self.run_in(&mut process, machine);
        (process, result)
    }

    /// Performs one call, as a blocking transport does: for [`drive`](atproto_sansio::drive) and for
    /// drivers of one's own. The time that it takes has passed when it returns.
    pub fn respond(&mut self, call: Call) -> Reply {
        let time = self.time_of(&call);
        self.advance(time);
        let process = std::mem::replace(&mut self.process, Process::new(0));
        let mut process = process;
        let reply = self.answer(&mut process, call);
        self.process = process;
        reply
    }

    /// How long a call takes, faults aside.
    fn time_of(&self, call: &Call) -> Duration {
        match call {
            Call::Http(_) | Call::Txt(_) => self.latency,
            Call::Sleep(sleep) => sleep.duration,
            Call::Store(_) | Call::Shared(_) | Call::Sign(_) => Duration::ZERO,
        }
    }

    fn answer(&mut self, process: &mut Process, call: Call) -> Reply {
        match call {
            Call::Http(call) => self.answer_http(call),
            Call::Txt(call) => self.answer_txt(call),
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
        }
    }

    fn answer_http(&mut self, call: HttpCall) -> Reply {
        if call.start_by.is_some_and(|by| self.now > by + self.latency) {
            let error = TransportError::new(Phase::NotSent, "it is too late to start");
            return call.respond.with(Err(error));
        }
        let Body::Bytes(body) = call.request.body() else {
            let error = TransportError::new(Phase::Unsupported, "there are no streams here");
            return call.respond.with(Err(error));
        };
        let body = body.clone();
        let delivery = self.exchange(call.request.map(|_| body));
        let time = delivery.delay + delivery.trickle;
        if matches!(delivery.outcome, Outcome::Silence) || self.latency + time > call.timeout {
            self.advance(call.timeout.saturating_sub(self.latency));
            let error = TransportError::new(Phase::TimedOut, "there was no answer in time");
            return call.respond.with(Err(error));
        }
        self.advance(time);
        let head_alone = |response: Response<Bytes>| match call.answer {
            Answer::Streamed { .. } if response.status().is_success() => {
                response.map(|_| Bytes::new())
            }
            _ => response,
        };
        call.respond.with(delivery.into_result().map(head_alone))
    }

    fn answer_txt(&mut self, call: TxtCall) -> Reply {
        let outcome = match self.look_up(&call.name) {
            Dns::Records(records) => Ok(records),
            Dns::NoSuchName => Ok(Vec::new()),
            Dns::Fails => Err(TransportError::new(Phase::MaybeSent, "the nameserver failed")),
            Dns::Silent => {
                self.advance(call.timeout.saturating_sub(self.latency));
                Err(TransportError::new(Phase::TimedOut, "the nameserver is silent"))
            }
        };
        call.respond.with(outcome)
    }
}

/// Calls that were handed out, the one that is answered first on top.
#[derive(Default)]
struct Outstanding {
    calls: Vec<Option<Call>>,
    due: BinaryHeap<Reverse<(UnixTime, usize)>>,
}

impl Outstanding {
    fn send(&mut self, due: UnixTime, call: Call) {
        self.due.push(Reverse((due, self.calls.len())));
        self.calls.push(Some(call));
    }

    fn next(&mut self) -> Option<(UnixTime, Call)> {
        let Reverse((due, at)) = self.due.pop()?;
        self.calls.get_mut(at)?.take().map(|call| (due, call))
    }
}
