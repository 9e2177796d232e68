//! Outstanding calls of one run: begun, and not yet answered.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use atproto_sansio::{Payload, Reply, Respond};

/// The outstanding calls of one run, in no particular order.
#[derive(Default)]
pub(crate) struct Outstanding {
    calls: Vec<Box<dyn Performance>>,
}

/// A call that is being performed.
pub(crate) trait Performance: Send {
    /// Whether the machine still waits for the reply.
    fn is_wanted(&self) -> bool;
    /// Continues the call, and returns its reply once.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply>;
}

/// A call whose reply is the outcome of `work`.
pub(crate) struct PendingCall<T: Payload> {
    respond: Option<Respond<T>>,
    work: Pin<Box<dyn Future<Output = Result<T, T::Error>> + Send>>,
}

/// A call that goes on to its end, because it may have an effect.
pub(crate) struct PendingReply(pub(crate) Pin<Box<dyn Future<Output = Reply> + Send>>);

/// A call with an immediate reply.
pub(crate) struct Answered(Option<Reply>);

impl Outstanding {
    pub(crate) fn add(&mut self, call: Box<dyn Performance>) {
        self.calls.push(call);
    }

    /// Waits for the first reply. Calls that the machine no longer waits for are cancelled first.
    pub(crate) async fn next_reply(&mut self) -> Reply {
        self.calls.retain(|call| call.is_wanted());
        poll_fn(|cx| {
            // Each wake-up polls every call, because a machine has few outstanding calls.
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

impl<T: Payload> PendingCall<T> {
    pub(crate) fn new(
        respond: Respond<T>,
        work: impl Future<Output = Result<T, T::Error>> + Send + 'static,
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
            let respond =
                self.respond.take().expect("a performance is not polled again after its reply");
            respond.with(outcome)
        })
    }
}

impl Performance for PendingReply {
    fn is_wanted(&self) -> bool {
        true
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        self.0.as_mut().poll(cx)
    }
}

impl Performance for Answered {
    fn is_wanted(&self) -> bool {
        true
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Reply> {
        Poll::Ready(self.0.take().expect("a performance is not polled again after its reply"))
    }
}
