//! Finds out whether a request was still waiting for its connection when the call timed out.
//!
//! If a call times out, reqwest does not say whether the request may have been sent. While its
//! connection is being established (name resolution, TCP, TLS), the request is surely not sent.
//! This work is part of the future that sends the request. So each poll of that future also polls
//! [`Connecting`], which sets [`CONNECTS`]. Once the request is handed to a connection, even to an
//! idle one of another request, [`Connecting`] is no longer polled, and the flag stays false.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use atproto_sansio::{Phase, System, TransportError, UnixTime};
use tokio::time::{Instant, sleep_until};
use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    /// Whether the connection (TCP and TLS) was not established yet when the future of the request
    /// was last polled.
    static CONNECTS: Cell<bool>;

    /// Latest time to send the request, which needs a connection until then.
    static LATEST: Latest;
}

/// Latest time to send a request.
#[derive(Clone, Copy)]
pub(crate) struct Latest {
    pub(crate) moment: Instant,
    /// The same on the wall clock, if the request carries a time: the monotonic clock stands still while the
    /// computer sleeps.
    pub(crate) start_by: Option<UnixTime>,
}

/// Layer around the service that establishes connections.
#[derive(Clone)]
pub(crate) struct Watch;

/// The service that establishes connections, with its futures wrapped as [`Connecting`].
///
/// reqwest clones it six times for each request, even if the request has a kept connection. So its clones share
/// the inner service, and a clone of that is made for a new connection only.
pub(crate) struct Watched<S> {
    shared: Arc<S>,
    /// The service that was asked whether it is ready, for the call that follows.
    asked: Option<S>,
}

/// The future of a connection. It sets [`CONNECTS`] while the connection is incomplete.
pub(crate) struct Connecting<F>(F);

impl Latest {
    /// Whether it is too late to send the request.
    pub(crate) fn has_passed(self) -> bool {
        self.start_by.is_some_and(|latest| latest < System::now()) || Instant::now() > self.moment
    }
}

/// Polls `sending`, a request of a client with a [`Watch`] layer, until `deadline`. A request whose
/// connection is incomplete at the time `latest` is given up.
///
/// # Errors
///
/// `NotSent` if the connection was incomplete, `TimedOut` otherwise.
pub(crate) async fn until<F: Future>(
    deadline: Instant,
    latest: Latest,
    sending: F,
) -> Result<F::Output, TransportError> {
    let watched = async {
        // One timer serves both times: for most requests they are the same.
        let (mut sending, mut alarm) = (pin!(sending), pin!(sleep_until(latest.moment)));
        let mut is_late = false;
        poll_fn(|cx| {
            CONNECTS.with(|connects| connects.set(false));
            if let Poll::Ready(output) = sending.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let connects = CONNECTS.with(Cell::get);
            if !(is_late || connects && latest.has_passed()) {
                ready!(alarm.as_mut().poll(cx));
                is_late = true;
                alarm.as_mut().reset(deadline);
            }
            if connects {
                return Poll::Ready(Err(not_connected()));
            }
            ready!(alarm.as_mut().poll(cx));
            Poll::Ready(Err(TransportError::new(Phase::TimedOut, "the call timed out")))
        })
        .await
    };
    LATEST.scope(latest, CONNECTS.scope(Cell::new(false), watched)).await
}

/// How often the addresses of a host are tried within [`CONNECT`], so that all of them have their turn
/// while the request of this task can still be sent.
///
/// hyper divides `CONNECT` by the number of addresses, and knows no time of the call. If the addresses
/// are listed several times, each turn is shorter.
pub(crate) fn rounds() -> usize {
    // Outside of a call, reqwest establishes a connection for a later request.
    let left = LATEST.try_with(|latest| latest.moment.saturating_duration_since(Instant::now()));
    let left = left.unwrap_or(CONNECT).as_millis().max(1);
    let more = CONNECT.as_millis().saturating_sub(1).checked_div(left).unwrap_or_default();
    usize::try_from(more).unwrap_or(MAX_ROUNDS).saturating_add(1).min(MAX_ROUNDS)
}

fn not_connected() -> TransportError {
    TransportError::new(Phase::NotSent, "the call timed out before a connection was established")
}

impl<S> Layer<S> for Watch {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        Watched { shared: Arc::new(inner), asked: None }
    }
}

impl<S> Clone for Watched<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), asked: None }
    }
}

impl<S, R> Service<R> for Watched<S>
where
    S: Service<R> + Clone,
    S::Future: Unpin,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Connecting<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.asked.get_or_insert_with(|| S::clone(&self.shared)).poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Connecting<S::Future> {
        let mut service = self.asked.take().expect("a service is called after it was asked");
        Connecting(service.call(target))
    }
}

impl<F: Future + Unpin> Future for Connecting<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let outcome = Pin::new(&mut self.0).poll(cx);
        // Outside of a call, reqwest completes the connection for a later request, and the task-local values do
        // not exist.
        let is_late = || LATEST.try_with(|latest| latest.has_passed()).unwrap_or(false);
        if outcome.is_ready() && !is_late() {
            return outcome;
        }
        // If it is too late, `until` gives the request up before anything is sent.
        let _ = CONNECTS.try_with(|connects| connects.set(true));
        Poll::Pending
    }
}

/// Time to connect, which the addresses of a host share: a first address that does not answer leaves
/// time for the next one.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// Largest number of rounds, for calls of less than a second.
const MAX_ROUNDS: usize = 8;

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_comes_too_late_on_the_wall_clock_sends_nothing() {
        let minute = Duration::from_secs(60);
        let deadline = Instant::now() + minute;
        for (start_by, is_sent) in [
            (None, true),
            (Some(System::now() + minute), true),
            (Some(UnixTime::from_secs(1_000_000_000)), false),
        ] {
            let latest = Latest { moment: deadline, start_by };
            let sent = until(deadline, latest, Connecting(ready(()))).await;
            assert_eq!(
                sent.map_err(|error| error.phase),
                is_sent.then_some(()).ok_or(Phase::NotSent)
            );
        }
    }
}
