//! A scripted network, and test drivers that run a machine over it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use atproto_sansio::{
    Call, Entropy, Env, Flow, KeyError, Keys, Machine, MapMemory, Output, Phase, Reply, Rule,
    SecretKey, Signer, TransportError, UnixTime,
};
use bytes::Bytes;
use http::Response;

/// A scripted network: the answer to each call, keyed by `TXT <name>`, `GET <url>` or `SLEEP <ms>`.
///
/// By default a name has no records, a page is a 404, and a pause ends at once.
#[derive(Clone, Default)]
pub(crate) struct Net {
    answers: BTreeMap<String, Answer>,
}

#[derive(Clone)]
enum Answer {
    Records(Vec<String>),
    Page { status: u16, headers: Vec<(String, String)>, body: String },
    Failure(Phase),
}

/// Result of a machine, and the calls that it asked for, in order.
#[derive(Debug, PartialEq)]
pub(crate) struct Run<T, E> {
    pub(crate) result: Result<T, E>,
    pub(crate) asked: Vec<String>,
}

/// Environment of a machine: a cache, and a clock that each reply moves by `step`.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) memory: MapMemory,
    pub(crate) elapsed: Cell<Duration>,
    pub(crate) step: Duration,
}

impl Net {
    pub(crate) fn txt(mut self, name: &str, records: &[&str]) -> Self {
        let records = records.iter().map(ToString::to_string).collect();
        self.answers.insert(format!("TXT {name}"), Answer::Records(records));
        self
    }

    pub(crate) fn page(mut self, url: &str, status: u16, body: impl Into<String>) -> Self {
        let page = Answer::Page { status, headers: Vec::new(), body: body.into() };
        self.answers.insert(format!("GET {url}"), page);
        self
    }

    /// A page without a body.
    pub(crate) fn page_with(mut self, url: &str, status: u16, header: (&str, &str)) -> Self {
        let headers = vec![(header.0.to_owned(), header.1.to_owned())];
        let page = Answer::Page { status, headers, body: String::new() };
        self.answers.insert(format!("GET {url}"), page);
        self
    }

    pub(crate) fn redirect(self, from: &str, to: &str) -> Self {
        self.page_with(from, 302, ("location", to))
    }

    pub(crate) fn fails(mut self, what: &str, phase: Phase) -> Self {
        self.answers.insert(what.to_owned(), Answer::Failure(phase));
        self
    }

    pub(crate) fn reply(&self, call: Call) -> Reply {
        let answer = self.answers.get(&name(&call));
        if let Some(Answer::Failure(phase)) = answer {
            return call.fail(TransportError::new(phase.clone(), "as scripted"));
        }
        match (call, answer) {
            (Call::Txt(call), Some(Answer::Records(records))) => {
                call.respond.with(Ok(records.clone()))
            }
            (Call::Txt(call), _) => call.respond.with(Ok(Vec::new())),
            (Call::Http(call), Some(Answer::Page { status, headers, body })) => {
                let mut response = Response::builder().status(*status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                call.respond.with(Ok(response.body(Bytes::from(body.clone())).unwrap()))
            }
            (Call::Http(call), _) => {
                let response = Response::builder().status(404).body(Bytes::new()).unwrap();
                call.respond.with(Ok(response))
            }
            (Call::Sleep(call), _) => call.respond.with(Ok(())),
            (call, _) => call.unsupported(),
        }
    }

    /// Runs `machine` as a blocking driver does.
    pub(crate) fn in_turn<M: Machine>(&self, machine: M) -> Run<M::Output, M::Error> {
        World::default().in_turn(self, machine)
    }

    /// Runs the machine once for each order in which its outstanding calls may be answered.
    pub(crate) fn in_every_order<M: Machine>(
        &self,
        machine: impl Fn() -> M,
    ) -> Vec<Run<M::Output, M::Error>> {
        let mut runs = Vec::new();
        let mut choices: Vec<usize> = Vec::new();
        loop {
            let mut taken = Vec::new();
            let run = World::default().run(self, machine(), |open| {
                let choice = choices.get(taken.len()).copied().unwrap_or_default();
                taken.push((choice, open));
                choice
            });
            runs.push(run);
            // The last choice with an alternative left moves on; the choices after it start again.
            while taken.pop_if(|(choice, open)| *choice + 1 == *open).is_some() {}
            choices = taken.iter().map(|&(choice, _)| choice).collect();
            match choices.last_mut() {
                Some(last) => *last += 1,
                None => return runs,
            }
        }
    }

    /// Runs the machine in every order of replies, checks that all results are equal, and returns
    /// it.
    pub(crate) fn in_any_order<M>(&self, machine: impl Fn() -> M) -> Result<M::Output, M::Error>
    where
        M: Machine<Output: Debug + PartialEq, Error: Debug + PartialEq>,
    {
        let mut results = self.in_every_order(machine).into_iter().map(|run| run.result);
        let first = results.next().unwrap();
        for other in results {
            assert_eq!(other, first);
        }
        first
    }
}

impl World {
    /// Runs `machine` as a blocking driver does: each call is answered before the next is taken.
    pub(crate) fn in_turn<M: Machine>(&self, net: &Net, machine: M) -> Run<M::Output, M::Error> {
        let mut flow = Flow::new(machine);
        let mut asked = Vec::new();
        loop {
            match self.poll(&mut flow) {
                Output::Call(call) => {
                    asked.push(name(&call));
                    self.elapsed.update(|elapsed| elapsed + self.step);
                    flow.handle_reply(net.reply(call));
                }
                Output::Wait => unreachable!("every call was answered"),
                Output::Done(result) => return Run { result, asked },
            }
        }
    }

    /// Runs `machine` with all its calls in flight. `choose` gets the number of calls in flight and
    /// returns the index of the call to answer next.
    pub(crate) fn run<M: Machine>(
        &self,
        net: &Net,
        machine: M,
        mut choose: impl FnMut(usize) -> usize,
    ) -> Run<M::Output, M::Error> {
        let mut flow = Flow::new(machine);
        let mut asked = Vec::new();
        let mut open = Vec::new();
        loop {
            match self.poll(&mut flow) {
                Output::Call(call) => {
                    asked.push(name(&call));
                    open.push(call);
                }
                Output::Wait => {
                    let call = open.remove(choose(open.len()));
                    self.elapsed.update(|elapsed| elapsed + self.step);
                    flow.handle_reply(net.reply(call));
                }
                Output::Done(result) => return Run { result, asked },
            }
        }
    }

    /// Runs `machine` with all its calls in flight, in virtual time. `delay` returns the time until
    /// the reply to a call, by its name. A call whose time limit is shorter fails with `TimedOut`.
    pub(crate) fn timed<M: Machine>(
        &self,
        net: &Net,
        machine: M,
        delay: impl Fn(&str) -> Duration,
    ) -> Run<M::Output, M::Error> {
        let mut flow = Flow::new(machine);
        let mut asked = Vec::new();
        let mut open: Vec<(Duration, Call)> = Vec::new();
        loop {
            match self.poll(&mut flow) {
                Output::Call(call) => {
                    let wait = match &call {
                        Call::Sleep(call) => call.duration,
                        _ => limit(&call).min(delay(&name(&call))),
                    };
                    asked.push(name(&call));
                    open.push((self.elapsed.get() + wait, call));
                }
                Output::Wait => {
                    open.sort_by_key(|(due, _)| *due);
                    let (due, call) = open.remove(0);
                    self.elapsed.set(due);
                    let late = delay(&name(&call)) > limit(&call);
                    let error = || TransportError::new(Phase::TimedOut, "as scripted");
                    flow.handle_reply(if late { call.fail(error()) } else { net.reply(call) });
                }
                Output::Done(result) => return Run { result, asked },
            }
        }
    }

    pub(crate) fn poll<M: Machine>(&self, flow: &mut Flow<M>) -> Output<M::Output, M::Error> {
        flow.poll_output(&mut Env {
            now: UnixTime::from_secs(1_700_000_000),
            elapsed: self.elapsed.get(),
            entropy: &mut Unused,
            memory: &self.memory,
            keys: &Unused,
        })
    }
}

/// The DID document of `did` with the given `alsoKnownAs` (JSON) and PDS.
pub(crate) fn document(did: &str, names: &str, pds: &str) -> String {
    let service = serde_json::json!([{
        "id": "#atproto_pds",
        "type": "AtprotoPersonalDataServer",
        "serviceEndpoint": pds,
    }]);
    format!(r#"{{"id":"{did}","alsoKnownAs":{names},"service":{service}}}"#)
}

/// The phase of a call that the network policy forbids.
pub(crate) fn blocked() -> Phase {
    Phase::Blocked(Box::new(Rule::because("as scripted")))
}

/// Time limit of a call.
fn limit(call: &Call) -> Duration {
    match call {
        Call::Http(call) => call.timeout,
        Call::Txt(call) => call.timeout,
        Call::Sleep(call) => call.duration,
        Call::Store(_) | Call::Shared(_) | Call::Sign(_) | Call::Notify(_) => {
            unreachable!("{call:?}")
        }
    }
}

fn name(call: &Call) -> String {
    match call {
        Call::Http(call) => format!("{} {}", call.request.method(), call.request.uri()),
        Call::Txt(call) => format!("TXT {}", call.name),
        Call::Sleep(call) => format!("SLEEP {}", call.duration.as_millis()),
        Call::Store(_) | Call::Shared(_) | Call::Sign(_) | Call::Notify(_) => {
            unreachable!("{call:?}")
        }
    }
}

/// Entropy and keys that panic when used, because resolution needs neither.
struct Unused;

impl Entropy for Unused {
    fn fill(&mut self, _: &mut [u8]) {
        unreachable!("resolution needs no entropy");
    }
}

impl Keys for Unused {
    fn generate(&self, _: &mut dyn Entropy) -> Arc<dyn Signer> {
        unreachable!("resolution needs no keys");
    }

    fn import(&self, _: &SecretKey, _: Option<&[u8; 64]>) -> Result<Arc<dyn Signer>, KeyError> {
        unreachable!("resolution needs no keys");
    }
}
