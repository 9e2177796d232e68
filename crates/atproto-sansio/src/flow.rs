//! [`Flow`]: a machine with its queue of calls, as a driver polls it.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::call::{Call, Reply};
use crate::cx::Cx;
use crate::env::Env;
use crate::error::{Phase, TransportError};
use crate::machine::{Budget, Machine};
use crate::mailbox::Mailbox;

/// A machine with its queue of calls and its [`Budget`], as a driver polls it.
///
/// A flow performs no I/O. If a call exceeds the budget, the flow answers the call with
/// [`Phase::NotSent`](crate::Phase::NotSent). The timeouts of HTTP and TXT calls, and the pauses of
/// sleep calls, are shortened to the time that is left in the budget.
pub struct Flow<M> {
    machine: M,
    mailbox: Mailbox,
    budget: Budget,
    deadline: Option<Duration>,
    ended: bool,
}

/// The next step of a driver, returned by [`Flow::poll_output`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a driver's match is total")]
#[expect(clippy::large_enum_variant, reason = "it is moved once, from the flow to the driver")]
#[must_use]
pub enum Output<T, E> {
    /// The driver performs this call and hands the reply to [`Flow::handle_reply`]. It may poll
    /// again before the reply arrives, to obtain further calls.
    Call(Call),
    /// The driver waits until a call in flight has its reply, hands the reply over, and polls
    /// again.
    Wait,
    /// The machine has ended with this result. The driver must not poll the flow again.
    Done(Result<T, E>),
}

impl<M: Machine> Flow<M> {
    /// A flow that runs `machine` within [`Machine::budget`]. The time budget begins with the first
    /// poll.
    pub fn new(machine: M) -> Self {
        let budget = machine.budget();
        Self { machine, mailbox: Mailbox::new(), budget, deadline: None, ended: false }
    }

    /// Polls the machine if a reply has arrived, and returns the driver's next step.
    ///
    /// # Panics
    ///
    /// Panics if it is called again after [`Output::Done`]: a bug of the driver. Panics if the
    /// machine is pending without any outstanding call, or asks for more than 1,048,576 calls: a
    /// bug of the machine.
    pub fn poll_output(&mut self, env: &mut Env<'_>) -> Output<M::Output, M::Error> {
        assert!(!self.ended, "a flow was polled after its end");
        let time = self.budget.time;
        let deadline = *self.deadline.get_or_insert_with(|| env.elapsed.saturating_add(time));
        loop {
            while std::mem::take(&mut self.mailbox.news) {
                let mut cx = Cx::new(env, &mut self.mailbox);
                if let Poll::Ready(result) = self.machine.poll(&mut cx) {
                    self.ended = true;
                    return Output::Done(result);
                }
            }
            let Some((call, until)) = self.mailbox.next_call() else {
                assert!(
                    self.mailbox.is_waiting(),
                    "a machine is pending without an outstanding call"
                );
                return Output::Wait;
            };
            match self.admit(call, deadline.min(until).saturating_sub(env.elapsed)) {
                Ok(call) => return Output::Call(call),
                Err(reply) => self.handle_reply(reply),
            }
        }
    }

    /// Takes the reply to one of this flow's calls. If the machine has withdrawn the call, the
    /// reply is ignored.
    ///
    /// # Panics
    ///
    /// Panics if the reply answers a call of another flow: a bug of the driver.
    pub fn handle_reply(&mut self, reply: Reply) {
        assert!(
            Arc::ptr_eq(&reply.address.flow, &self.mailbox.identity),
            "a reply was handed to a flow that did not ask for it"
        );
        self.mailbox.accept(reply.address.slot, reply.outcome);
    }

    /// Charges `call` to the budget and shortens its time to `left`. If the budget or the time is
    /// used up, answers the call with `NotSent`.
    fn admit(&mut self, mut call: Call, left: Duration) -> Result<Call, Reply> {
        let over = match &mut call {
            // A store call is always allowed, so that the machine can save a result that it has.
            Call::Store(_) => None,
            _ if left.is_zero() => Some("the procedure has used up its time"),
            _ if !spend(&mut self.budget.calls) => Some("the procedure has used up its calls"),
            Call::Http(http) => {
                http.timeout = http.timeout.min(left);
                let allowed = spend(&mut self.budget.http);
                (!allowed).then_some("the procedure has used up its HTTP requests")
            }
            Call::Txt(txt) => {
                txt.timeout = txt.timeout.min(left);
                None
            }
            Call::Sleep(sleep) => {
                sleep.duration = sleep.duration.min(left);
                None
            }
            Call::Shared(_) | Call::Sign(_) => None,
        };
        match over {
            None => Ok(call),
            Some(reason) => Err(call.fail(TransportError::new(Phase::NotSent, reason))),
        }
    }
}

fn spend(budget: &mut u32) -> bool {
    let left = budget.checked_sub(1);
    *budget = left.unwrap_or_default();
    left.is_some()
}

impl<M> fmt::Debug for Flow<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("budget", &self.budget)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
