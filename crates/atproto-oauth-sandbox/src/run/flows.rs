//! Machines, and those that they share, beside each other in virtual time.

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

/// A machine that keeps what it ends in, so that all that run are of one kind.
struct Kept<'a, M: Machine> {
    machine: M,
    result: &'a mut Option<Result<M::Output, M::Error>>,
}

impl<M: Machine> Machine for Kept<'_, M> {
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

/// One machine of a run.
struct Running<'a> {
    /// `None` when it has ended.
    flow: Option<Flow<Boxed<'a>>>,
    /// What it is shared as, and what those are who asked for it first.
    keys: Vec<String>,
    /// Who waits for its end.
    asked: Vec<(usize, Respond<()>)>,
}

/// Something that happens when its time has come.
#[expect(clippy::large_enum_variant, reason = "most are the large one")]
enum Event {
    /// A call arrives where it was sent to, and its answer back.
    Call(Call),
    /// The answer comes later than usual.
    Reply(Reply),
}

/// All machines of a run, and what they wait for.
#[derive(Default)]
struct Flows<'a> {
    running: Vec<Running<'a>>,
    /// Each with the machine that it is for.
    events: Vec<Option<(usize, Event)>>,
    /// The next one on top; of those at the same time, the one that was added first.
    due: BinaryHeap<Reverse<(UnixTime, usize)>>,
}

/// Runs machines to their ends, and those that they share to theirs.
pub(crate) fn run<M: Machine>(
    sandbox: &mut Sandbox,
    process: &mut Process,
    machines: Vec<M>,
) -> Vec<Result<M::Output, M::Error>> {
    let mut results: Vec<_> = machines.iter().map(|_| None).collect();
    let mut flows = Flows::default();
    for (machine, result) in machines.into_iter().zip(&mut results) {
        let at = flows.begin(Box::new(Kept { machine, result }), Vec::new());
        flows.go_on(at, sandbox, process);
    }
    while flows.running.iter().any(|running| running.flow.is_some()) {
        let next = flows.next();
        let (due, at, event) =
            next.expect("who waits has asked for something, and nobody for who waits for them");
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
        flows.hand(at, reply);
        flows.go_on(at, sandbox, process);
    }
    drop(flows);
    results.into_iter().map(|result| result.expect("the machine has ended")).collect()
}

impl<'a> Flows<'a> {
    fn begin(&mut self, machine: Boxed<'a>, keys: Vec<String>) -> usize {
        self.running.push(Running { flow: Some(Flow::new(machine)), keys, asked: Vec::new() });
        self.running.len() - 1
    }

    /// Polls a machine until it waits or ends; and so with those whom that sets going.
    fn go_on(&mut self, at: usize, sandbox: &Sandbox, process: &mut Process) {
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
                    for (asker, respond) in std::mem::take(&mut running.asked) {
                        self.hand(asker, respond.with(Ok(())));
                        ready.push(asker);
                    }
                }
            }
        }
    }

    /// Joins the run of the same key, or begins one, which is returned.
    fn share(&mut self, asker: usize, call: SharedCall) -> Option<usize> {
        let SharedCall { key, machine, respond } = call;
        let mut keys = self.running.get(asker).map(|asker| asker.keys.clone()).unwrap_or_default();
        if keys.contains(&key) {
            let error = TransportError::new(Phase::NotSent, "what is shared asks for itself");
            self.hand(asker, respond.with(Err(error)));
            return None;
        }
        let same = |running: &&mut Running<'_>| {
            running.flow.is_some() && running.keys.first() == Some(&key)
        };
        if let Some(running) = self.running.iter_mut().find(same) {
            running.asked.push((asker, respond));
            return None;
        }
        keys.insert(0, key);
        let at = self.begin(machine, keys);
        self.running.last_mut()?.asked.push((asker, respond));
        Some(at)
    }

    /// Gives a machine its reply; one that has ended needs none.
    fn hand(&mut self, at: usize, reply: Reply) {
        if let Some(flow) = self.running.get_mut(at).and_then(|running| running.flow.as_mut()) {
            flow.handle_reply(reply);
        }
    }

    fn add(&mut self, due: UnixTime, at: usize, event: Event) {
        self.due.push(Reverse((due, self.events.len())));
        self.events.push(Some((at, event)));
    }

    fn next(&mut self) -> Option<(UnixTime, usize, Event)> {
        let Reverse((due, number)) = self.due.pop()?;
        self.events.get_mut(number)?.take().map(|(at, event)| (due, at, event))
    }
}
