//! The scheduler: runs machines, and the machines that they share, concurrently in virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::convert::Infallible;
use std::task::Poll;

use atproto_sansio::{
    Budget, Call, Cx, Flow, Machine, Output, Phase, Reply, Respond, SharedCall, SharedKey,
    SharedMachine, SharedResult, TransportError, UnixTime, Waits,
};

use crate::run::process::Process;
use crate::sandbox::Sandbox;

/// A machine of a run: its output is the result of a shared machine, or `None` for a machine of the
/// caller.
type Boxed<'a> = Box<dyn Machine<Output = Option<SharedResult>, Error = Infallible> + 'a>;

/// A machine that stores its result in `result` instead of returning it, so that all machines of a
/// run have the same type.
struct StoresResult<'a, M: Machine> {
    machine: M,
    result: &'a mut Option<Result<M::Output, M::Error>>,
}

/// A shared machine.
struct IsShared(SharedMachine);

impl<M: Machine> Machine for StoresResult<'_, M> {
    type Output = Option<SharedResult>;
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Infallible>> {
        self.machine.poll(cx).map(|result| {
            *self.result = Some(result);
            Ok(None)
        })
    }

    fn budget(&self) -> Budget {
        self.machine.budget()
    }
}

impl Machine for IsShared {
    type Output = Option<SharedResult>;
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Infallible>> {
        self.0.poll(cx).map_ok(Some)
    }

    fn budget(&self) -> Budget {
        self.0.budget()
    }
}

/// One machine of a run, either given by the caller or shared.
struct Running<'a> {
    /// `None` after the machine has ended.
    flow: Option<Flow<Boxed<'a>>>,
    /// Key of a shared machine; `None` for a machine of the caller.
    key: Option<SharedKey>,
    /// Machines that wait for the end of this one.
    waiting: Vec<Asker>,
}

/// A machine that waits for the end of a shared machine: its index, and its right to a reply.
struct Asker {
    at: usize,
    respond: Respond<SharedResult>,
}

/// A scheduled event.
#[expect(clippy::large_enum_variant, reason = "most events are calls, the large variant")]
enum Event {
    /// Performs a call. Its reply is handed over at once, or scheduled if it has an additional
    /// delay.
    Call(Call),
    /// Hands over a reply with an additional delay, for example because of a fault.
    Reply(Reply),
    /// Answers a machine that waits for a shared machine with the index `run`, unless that machine
    /// has ended.
    GiveUp { run: usize },
}

/// All machines of a run, and the scheduled events.
#[derive(Default)]
struct Flows<'a> {
    running: Vec<Running<'a>>,
    /// Events, each with the index of its machine; `None` after the event was handled.
    events: Vec<Option<(usize, Event)>>,
    /// Times of the events with their indexes, the earliest first. If two events have the same
    /// time, the one that was added first is first.
    due: BinaryHeap<Reverse<(UnixTime, usize)>>,
    waits: Waits,
}

/// Runs machines, and the machines that they share, to their ends. Returns the results in order.
pub(crate) fn run<M: Machine>(
    sandbox: &mut Sandbox,
    process: &mut Process,
    machines: Vec<M>,
) -> Vec<Result<M::Output, M::Error>> {
    let mut results: Vec<_> = machines.iter().map(|_| None).collect();
    let mut flows = Flows::default();
    for (machine, result) in machines.into_iter().zip(&mut results) {
        let at = flows.begin(Box::new(StoresResult { machine, result }), None);
        flows.poll(at, sandbox, process);
    }
    while flows.running.iter().any(|running| running.flow.is_some()) {
        let next = flows.next();
        let (due, at, event) = next.expect("a waiting machine has a call in flight");
        sandbox.set_now(due);
        let reply = match event {
            Event::Reply(reply) => reply,
            Event::GiveUp { run } => {
                flows.give_up(at, run);
                flows.poll(at, sandbox, process);
                continue;
            }
            Event::Call(call) => {
                let (late, reply) = sandbox.answer(process, call);
                if !late.is_zero() {
                    flows.add(due + late, at, Event::Reply(reply));
                    continue;
                }
                reply
            }
        };
        flows.deliver(at, reply);
        flows.poll(at, sandbox, process);
    }
    drop(flows);
    results.into_iter().map(|result| result.expect("the machine has ended")).collect()
}

impl<'a> Flows<'a> {
    /// Adds a machine and returns its index.
    fn begin(&mut self, machine: Boxed<'a>, key: Option<SharedKey>) -> usize {
        self.running.push(Running { flow: Some(Flow::new(machine)), key, waiting: Vec::new() });
        self.running.len() - 1
    }

    /// Polls a machine until it waits or ends, and then every other machine that became ready.
    fn poll(&mut self, at: usize, sandbox: &Sandbox, process: &mut Process) {
        let mut ready = vec![at];
        while let Some(at) = ready.pop() {
            let Some(running) = self.running.get_mut(at) else { continue };
            let Some(flow) = &mut running.flow else { continue };
            match flow.poll_output(&mut process.env(sandbox.now())) {
                Output::Call(Call::Shared(call)) => {
                    ready.push(at);
                    ready.extend(self.share(at, call, sandbox.now()));
                }
                Output::Call(call) => {
                    ready.push(at);
                    self.add(sandbox.now() + sandbox.time_of(&call), at, Event::Call(call));
                }
                Output::Wait => {}
                Output::Done(Ok(result)) => {
                    running.flow = None;
                    let askers = std::mem::take(&mut running.waiting);
                    let (Some(result), Some(key)) = (result, running.key.clone()) else { continue };
                    for Asker { at, respond } in askers {
                        self.answer(&key, at, respond.with(Ok(result.clone())));
                        ready.push(at);
                    }
                }
            }
        }
    }

    /// Handles a shared call: waits for the running machine with the same key, or adds the machine
    /// of the call and returns its index. If the machines would wait for each other, the call fails
    /// with `NotSent`.
    fn share(&mut self, at: usize, call: SharedCall, now: UnixTime) -> Option<usize> {
        let SharedCall { key, machine, timeout, is_detached, respond } = call;
        let is_same = |run: &Running<'_>| run.flow.is_some() && run.key.as_ref() == Some(&key);
        let known = self.running.iter().position(is_same);
        if is_detached {
            let begin = || self.begin(Box::new(IsShared(machine)), Some(key.clone()));
            let begun = known.is_none().then(begin);
            self.deliver(at, respond.with(Ok(SharedResult::begun())));
            return begun;
        }
        if let Some(waiting) = self.running.get(at).and_then(|asker| asker.key.clone())
            && let Err(error) = self.waits.begin(&waiting, &key)
        {
            self.deliver(at, respond.with(Err(error)));
            return None;
        }
        let run = known.unwrap_or_else(|| self.begin(Box::new(IsShared(machine)), Some(key)));
        self.running.get_mut(run)?.waiting.push(Asker { at, respond });
        self.add(now + timeout, at, Event::GiveUp { run });
        known.is_none().then_some(run)
    }

    /// Answers the asker `at` of the shared machine `run` that its time is over.
    fn give_up(&mut self, at: usize, run: usize) {
        let Some(running) = self.running.get_mut(run) else { return };
        let Some(key) = running.key.clone() else { return };
        let Some(index) = running.waiting.iter().position(|asker| asker.at == at) else { return };
        let Asker { respond, .. } = running.waiting.swap_remove(index);
        let error = TransportError::new(Phase::TimedOut, "the shared run takes longer");
        self.answer(&key, at, respond.with(Err(error)));
    }

    /// Hands the reply of the shared machine `key` to the machine that waited for it.
    fn answer(&mut self, key: &SharedKey, at: usize, reply: Reply) {
        if let Some(waiting) = self.running.get(at).and_then(|asker| asker.key.clone()) {
            self.waits.end(&waiting, key);
        }
        self.deliver(at, reply);
    }

    /// Hands a reply to its machine. A reply to a machine that has ended is dropped.
    fn deliver(&mut self, at: usize, reply: Reply) {
        if let Some(flow) = self.running.get_mut(at).and_then(|running| running.flow.as_mut()) {
            flow.handle_reply(reply);
        }
    }

    /// Schedules an event.
    fn add(&mut self, due: UnixTime, at: usize, event: Event) {
        self.due.push(Reverse((due, self.events.len())));
        self.events.push(Some((at, event)));
    }

    /// Removes the next event, and returns it with its time and the index of its machine.
    fn next(&mut self) -> Option<(UnixTime, usize, Event)> {
        let Reverse((due, number)) = self.due.pop()?;
        self.events.get_mut(number)?.take().map(|(at, event)| (due, at, event))
    }
}
