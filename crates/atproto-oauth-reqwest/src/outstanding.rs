//! Outstanding calls of one run: begun, and not yet answered.

use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::task::Poll;

use atproto_sansio::{Interest, Payload, Reply, Respond};
use smallvec::SmallVec;

/// The outstanding calls of one run, in no particular order.
#[derive(Default)]
pub(crate) struct Outstanding<'a> {
    /// Most runs have one call at a time.
    calls: SmallVec<[Performance<'a>; 1]>,
}

/// A call that is being performed.
pub(crate) struct Performance<'a> {
    /// `None` for a call that goes on to its end, because it may have an effect.
    interest: Option<Interest>,
    pub(crate) reply: PendingReply<'a>,
}

pub(crate) type PendingReply<'a> = Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;

impl<'a> Outstanding<'a> {
    pub(crate) fn add(&mut self, call: Performance<'a>) {
        self.calls.push(call);
    }

    /// Waits for the first reply. Calls that the machine no longer waits for are cancelled first.
    pub(crate) async fn next_reply(&mut self) -> Reply {
        self.calls.retain(|call| call.is_wanted());
        poll_fn(|cx| {
            // Each wake-up polls every call, because a machine has few outstanding calls.
            for index in 0..self.calls.len() {
                if let Some(call) = self.calls.get_mut(index)
                    && let Poll::Ready(reply) = call.reply.as_mut().poll(cx)
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

impl<'a> Performance<'a> {
    /// A call whose reply is the outcome of `work`.
    pub(crate) fn of<T: Payload>(
        respond: Respond<T>,
        work: impl Future<Output = Result<T, T::Error>> + Send + 'a,
    ) -> Self {
        let interest = respond.interest();
        Self::wanted(interest, async move { respond.with(work.await) })
    }

    /// A call that is cancelled when the machine no longer waits for its reply.
    pub(crate) fn wanted(
        interest: Interest,
        reply: impl Future<Output = Reply> + Send + 'a,
    ) -> Self {
        Self { interest: Some(interest), reply: Box::pin(reply) }
    }

    /// A call that goes on to its end.
    pub(crate) fn to_its_end(reply: PendingReply<'a>) -> Self {
        Self { interest: None, reply }
    }

    /// A call with an immediate reply.
    pub(crate) fn answered(reply: Reply) -> Self {
        Self::to_its_end(Box::pin(ready(reply)))
    }

    /// Whether the machine still waits for the reply.
    fn is_wanted(&self) -> bool {
        self.interest.as_ref().is_none_or(Interest::is_left)
    }
}
