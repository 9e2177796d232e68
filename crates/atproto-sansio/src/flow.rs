//! The outside view: a machine and its mailbox, driven by a transport.

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

/// A machine and its mailbox: what a transport drives.
///
/// A flow performs nothing. It holds the machine's [`Budget`]: a call beyond it is answered with
/// [`Phase::NotSent`](crate::Phase::NotSent), and no call is handed out with more time than is left.
pub struct Flow<M> {
    machine: M,
    mailbox: Mailbox,
    budget: Budget,
    deadline: Option<Duration>,
    ended: bool,
}

/// What a flow wants next.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a driver's match is total")]
#[expect(clippy::large_enum_variant, reason = "it is moved once, from the flow to the driver")]
#[must_use]
pub enum Output<T, E> {
    /// Perform this, and hand the reply to [`Flow::handle_reply`]. Other calls may follow at once.
    Call(Call),
    /// Nothing until one of the calls handed out is answered.
    Wait,
    /// The end. The flow must not be polled again.
    Done(Result<T, E>),
}

impl<M: Machine> Flow<M> {
    /// A flow that has not begun.
    pub fn new(machine: M) -> Self {
        let budget = machine.budget();
        Self { machine, mailbox: Mailbox::new(), budget, deadline: None, ended: false }
    }

    /// The next thing to do.
    ///
    /// # Panics
    ///
    /// Called again after [`Output::Done`], which is a bug of a driver; or the machine waits although
    /// it asked for nothing, or asks without end, which are bugs of a machine.
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
                assert!(self.mailbox.is_waiting(), "a machine waits although it asked for nothing");
                return Output::Wait;
            };
            match self.admit(call, deadline.min(until).saturating_sub(env.elapsed)) {
                Ok(call) => return Output::Call(call),
                Err(reply) => self.handle_reply(reply),
            }
        }
    }

    /// Takes the reply to one of this flow's calls. One that is no longer wanted is ignored.
    ///
    /// # Panics
    ///
    /// The reply answers a call of another flow: a bug of the driver.
    pub fn handle_reply(&mut self, reply: Reply) {
        assert!(
            Arc::ptr_eq(&reply.address.flow, &self.mailbox.identity),
            "a reply was handed to a flow that did not ask for it"
        );
        self.mailbox.accept(reply.address.slot, reply.outcome);
    }

    /// Charges the call to the budget, or answers it: it was not sent, since it came too late.
    fn admit(&mut self, mut call: Call, left: Duration) -> Result<Call, Reply> {
        let over = match &mut call {
            // What was decided is stored, however late it is.
            Call::Store(_) => None,
            _ if left.is_zero() => Some("the time for the whole procedure is used up"),
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
