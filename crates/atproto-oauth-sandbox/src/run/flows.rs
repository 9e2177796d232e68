//! The scheduler: runs machines, and the machines that they share, concurrently in virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::convert::Infallible;
use std::task::Poll;

use atproto_sansio::{
    Budget, Call, Cx, Flow, Machine, Output, Phase, Reply, Respond, SharedCall, TransportError,
    UnixTime,
};

use crate::run::process::Process;
use crate::sandbox::Sandbox;

type Boxed<'a> = Box<dyn Machine<Output = (), Error = Infallible> + 'a>;

/// A machine that stores its result in `result` instead of returning it, so that all machines of a
/// run have the same type.
struct StoresResult<'a, M: Machine> {
    machine: M,
    result: &'a mut Option<Result<M::Output, M::Error>>,
}

impl<M: Machine> Machine for StoresResult<'_, M> {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        self.machine.poll(cx).map(|result| {
            *self.result = Some(result);
            Ok(())
        })
    }

    fn budget(&self) -> Budget {
        self.machine.budget()
    }
}

/// One machine of a run, either given by the caller or shared.
struct Running<'a> {
    /// `None` after the machine has ended.
    flow: Option<Flow<Boxed<'a>>>,
    /// Keys of a shared machine: its own key, then the keys of the machine that first asked for it.
    /// Empty for a machine of the caller.
    keys: Vec<String>,
    /// Machines that wait for the end of this one: the index of each, and its right to a reply.
    waiting: Vec<(usize, Respond<()>)>,
}

/// A scheduled event.
#[expect(clippy::large_enum_variant, reason = "most events are calls, the large variant")]
enum Event {
    /// Performs a call. Its reply is handed over at once, or scheduled if it has an additional
    /// delay.
    Call(Call),
    /// Hands over a reply with an additional delay, for example because of a fault.
    Reply(Reply),
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
        let at = flows.begin(Box::new(StoresResult { machine, result }), Vec::new());
        flows.poll(at, sandbox, process);
    }
    while flows.running.iter().any(|running| running.flow.is_some()) {
        let next = flows.next();
        let (due, at, event) = next.expect(
            "a waiting machine has a call in flight, and shared machines do not wait in a cycle",
        );
        sandbox.set_now(due);
        let reply = match event {
            Event::Reply(reply) => reply,
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
    fn begin(&mut self, machine: Boxed<'a>, keys: Vec<String>) -> usize {
        self.running.push(Running { flow: Some(Flow::new(machine)), keys, waiting: Vec::new() });
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
                    ready.extend(self.share(at, call));
                }
                Output::Call(call) => {
                    ready.push(at);
                    self.add(sandbox.now() + sandbox.time_of(&call), at, Event::Call(call));
                }
                Output::Wait => {}
                Output::Done(Ok(())) => {
                    running.flow = None;
                    for (asker, respond) in std::mem::take(&mut running.waiting) {
                        self.deliver(asker, respond.with(Ok(())));
                        ready.push(asker);
                    }
                }
            }
        }
    }

    /// Handles a shared call: waits for the running machine with the same key, or adds the machine
    /// of the call and returns its index. If the key is among the keys of the asking machine, the
    /// call fails with `NotSent`, because the machines would wait for each other.
    fn share(&mut self, asker: usize, call: SharedCall) -> Option<usize> {
        let SharedCall { key, machine, respond } = call;
        let mut keys = self.running.get(asker).map(|asker| asker.keys.clone()).unwrap_or_default();
        if keys.contains(&key) {
            let error = TransportError::new(
                Phase::NotSent,
                "a shared machine asks for itself, directly or through another shared machine",
            );
            self.deliver(asker, respond.with(Err(error)));
            return None;
        }
        let same = |running: &&mut Running<'_>| {
            running.flow.is_some() && running.keys.first() == Some(&key)
        };
        if let Some(running) = self.running.iter_mut().find(same) {
            running.waiting.push((asker, respond));
            return None;
        }
        keys.insert(0, key);
        let at = self.begin(machine, keys);
        self.running.last_mut()?.waiting.push((asker, respond));
        Some(at)
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
