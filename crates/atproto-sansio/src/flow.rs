//! [`Flow`]: a machine with its queue of calls, as a driver polls it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use smallvec::SmallVec;

use crate::call::{Call, HttpCall, Reply};
use crate::cx::Cx;
use crate::env::Env;
use crate::error::{Phase, TransportError};
use crate::machine::{Budget, Machine};
use crate::mailbox::{Mailbox, Next};
use crate::silence::{self, Performed};

/// A machine with its queue of calls and its [`Budget`], as a driver polls it.
///
/// A flow performs no I/O. If a call exceeds the budget, the flow answers the call with
/// [`Phase::NotSent`](crate::Phase::NotSent). The timeout of every call is shortened to the time
/// that is left in the budget. A pause that would end later fails at once.
pub struct Flow<M> {
    machine: M,
    mailbox: Mailbox,
    budget: Budget,
    /// HTTP calls that the driver performs.
    performed: SmallVec<[Performed; 1]>,
    /// HTTP calls that have ended since the last poll, and whether their hosts answered.
    heard: SmallVec<[(Performed, bool); 1]>,
    is_begun: bool,
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
        let (performed, heard) = (SmallVec::new(), SmallVec::new());
        let mailbox = Mailbox::new();
        Self { machine, mailbox, budget, performed, heard, is_begun: false, ended: false }
    }

    /// Polls the machine if a reply has arrived, and returns the driver's next step. A call that the
    /// driver has dropped is answered with [`Phase::MaybeSent`] here.
    ///
    /// # Panics
    ///
    /// Panics if it is called again after [`Output::Done`]: a bug of the driver. Panics if the
    /// machine is pending without any outstanding call, or asks for more than 1,048,576 calls: a
    /// bug of the machine.
    pub fn poll_output(&mut self, env: &mut Env<'_>) -> Output<M::Output, M::Error> {
        assert!(!self.ended, "a flow was polled after its end");
        if !std::mem::replace(&mut self.is_begun, true) {
            self.mailbox.deadline = env.elapsed.saturating_add(self.budget.time);
        }
        for (call, is_answered) in self.heard.drain(..) {
            silence::note(&call, is_answered, env);
        }
        loop {
            while std::mem::take(&mut self.mailbox.news) {
                let mut cx = Cx::new(env, &mut self.mailbox);
                if let Poll::Ready(result) = self.machine.poll(&mut cx) {
                    self.ended = true;
                    return Output::Done(result);
                }
            }
            match self.mailbox.next() {
                Next::Call(call, deadline) => match self.admit(call, deadline, env) {
                    Ok(call) => return Output::Call(call),
                    Err(reply) => self.handle_reply(reply),
                },
                Next::Due => {}
                Next::Nothing if self.mailbox.answer_dropped() => {}
                Next::Nothing => {
                    assert!(
                        self.mailbox.is_waiting(),
                        "a machine is pending without an outstanding call"
                    );
                    return Output::Wait;
                }
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
        let Reply { address, answerer, outcome } = reply;
        if let Some(place) = self.performed.iter().position(|call| call.slot == address.slot) {
            let call = self.performed.swap_remove(place);
            self.heard.extend(is_answer(&*outcome).map(|is_answered| (call, is_answered)));
        }
        self.mailbox.accept(address.slot, outcome);
        drop(answerer);
    }

    /// Charges `call` to the budget, and shortens its time to the time that is left. If the budget or
    /// the time does not allow the call, or its host is silent, answers it with `NotSent`.
    fn admit(&mut self, mut call: Call, deadline: Duration, env: &Env<'_>) -> Result<Call, Reply> {
        let left = deadline.saturating_sub(env.elapsed);
        let refusal = if left.is_zero() {
            Some("the procedure has used up its time")
        } else {
            self.charge(&call).or_else(|| shorten(&mut call, left, env))
        };
        if let Some(reason) = refusal {
            return Err(call.fail(TransportError::new(Phase::NotSent, reason)));
        }
        if let Call::Http(http) = &call
            && let Some(host) = http.request.uri().authority()
        {
            if let Err(error) = silence::check(host, http.timeout, env) {
                return Err(call.fail(error));
            }
            let (slot, host) = (http.respond.address.slot, host.clone());
            self.performed.push(Performed { slot, host, at: env.elapsed });
        }
        Ok(call)
    }

    /// Charges `call` to the budget. Returns the reason if the budget does not allow the call.
    fn charge(&mut self, call: &Call) -> Option<&'static str> {
        let Budget { http, calls, store, .. } = &mut self.budget;
        let (allowed, reason) = match call {
            Call::Store(_) => (spend(store), "the procedure has used up its store calls"),
            _ if !spend(calls) => (false, "the procedure has used up its calls"),
            Call::Http(_) => (spend(http), "the procedure has used up its HTTP requests"),
            Call::Txt(_) | Call::Sleep(_) | Call::Shared(_) | Call::Sign(_) | Call::Notify(_) => {
                (true, "")
            }
        };
        (!allowed).then_some(reason)
    }
}

/// Shortens the timeout of `call` to `left`. Returns the reason if too little time is left for it.
fn shorten(call: &mut Call, left: Duration, env: &Env<'_>) -> Option<&'static str> {
    let timeout = match call {
        Call::Http(http) => &mut http.timeout,
        Call::Txt(txt) => &mut txt.timeout,
        Call::Store(store) => &mut store.timeout,
        Call::Shared(shared) => &mut shared.timeout,
        Call::Sign(sign) => &mut sign.timeout,
        Call::Sleep(sleep) if sleep.duration > left => {
            return Some("the pause would end after the time of the procedure");
        }
        Call::Sleep(_) | Call::Notify(_) => return None,
    };
    *timeout = left.min(*timeout);
    match call {
        Call::Http(HttpCall { start_by: Some(latest), .. }) if *latest < env.now => {
            Some("the latest time to send the request has passed")
        }
        Call::Http(http) if http.timeout < http.least_time => Some(
            "too little time is left to wait for the reply to a request that can't be repeated",
        ),
        _ => None,
    }
}

/// Whether the outcome of an HTTP call is the answer of its host; `None` if it says nothing about the
/// host.
fn is_answer(outcome: &(dyn Any + Send)) -> Option<bool> {
    match outcome.downcast_ref::<Result<Response<Bytes>, TransportError>>()? {
        Ok(_) => Some(true),
        Err(error) if error.is_untried => None,
        Err(error) => match error.phase {
            Phase::Truncated | Phase::TooLarge => Some(true),
            Phase::NotSent | Phase::MaybeSent | Phase::TimedOut => Some(false),
            Phase::Blocked(_) | Phase::Unsupported => None,
        },
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
