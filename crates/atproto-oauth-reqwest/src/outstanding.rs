//! The calls of one run that have not been answered.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use atproto_sansio::{Payload, Reply, Respond, TransportError};

#[derive(Default)]
pub(crate) struct Outstanding {
    calls: Vec<Box<dyn Performance>>,
}

/// A call that is being performed.
pub(crate) trait Performance: Send {
    /// Whether the machine still waits for the answer.
    fn is_wanted(&self) -> bool;
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply>;
}

/// Work whose outcome is the answer.
pub(crate) struct PendingCall<T> {
    respond: Option<Respond<T>>,
    work: Pin<Box<dyn Future<Output = Result<T, TransportError>> + Send>>,
}

/// An answer that took no work.
pub(crate) struct Answered(Option<Reply>);

impl Outstanding {
    pub(crate) fn add(&mut self, call: Box<dyn Performance>) {
        self.calls.push(call);
    }

    /// The first reply to come. A call that is no longer wanted is dropped.
    pub(crate) async fn next_reply(&mut self) -> Reply {
        self.calls.retain(|call| call.is_wanted());
        poll_fn(|cx| {
            // All are polled on each wake-up: a machine has few calls outstanding.
            for index in 0..self.calls.len() {
                if let Some(call) = self.calls.get_mut(index)
                    && let Poll::Ready(reply) = call.poll(cx)
                {
                    drop(self.calls.swap_remove(index));
                    return Poll::Ready(reply);
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl<T> PendingCall<T> {
    pub(crate) fn new(
        respond: Respond<T>,
        work: impl Future<Output = Result<T, TransportError>> + Send + 'static,
    ) -> Self {
        Self { respond: Some(respond), work: Box::pin(work) }
    }
}

impl Answered {
    pub(crate) fn new(reply: Reply) -> Self {
        Self(Some(reply))
    }
}

impl<T: Payload> Performance for PendingCall<T> {
    fn is_wanted(&self) -> bool {
        self.respond.as_ref().is_some_and(Respond::is_wanted)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        self.work.as_mut().poll(cx).map(|outcome| {
            let respond = self.respond.take().expect("a performance is not polled after its end");
            respond.with(outcome)
        })
    }
}

impl Performance for Answered {
    fn is_wanted(&self) -> bool {
        true
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Reply> {
        Poll::Ready(self.0.take().expect("a performance is not polled after its end"))
    }
}
