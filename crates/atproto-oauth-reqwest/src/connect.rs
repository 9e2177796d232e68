//! Whether a request still waits for its connection.
//!
//! When time is up, reqwest does not say whether the request may have been sent. It was surely not
//! as long as its connection is being made: names, TCP and TLS. That work is part of the future
//! that sends the request, so it is seen at work whenever that future is polled. As soon as the
//! request is handed to a connection, be it another's that became idle first, it is seen no more.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use atproto_sansio::{Phase, TransportError};
use tokio::time::{Instant, timeout_at};
use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    static CONNECTS: Cell<bool>;
}

/// Around whatever makes connections.
#[derive(Clone)]
pub(crate) struct Watch;

#[derive(Clone)]
pub(crate) struct Watched<S>(S);

/// A connection in the making.
pub(crate) struct Connecting<F>(F);

/// Sends a request with a client that has a [`Watch`].
pub(crate) async fn until<F: Future>(
    deadline: Instant,
    sending: F,
) -> Result<F::Output, TransportError> {
    let watched = async {
        let mut sending = pin!(sending);
        let sending = poll_fn(|cx| {
            CONNECTS.with(|connects| connects.set(false));
            sending.as_mut().poll(cx)
        });
        timeout_at(deadline, sending).await.map_err(|_| {
            let (phase, reason) = match CONNECTS.with(Cell::get) {
                true => (Phase::NotSent, "no connection in time"),
                false => (Phase::TimedOut, "the time of the call is over"),
            };
            TransportError::new(phase, reason)
        })
    };
    CONNECTS.scope(Cell::new(false), watched).await
}

impl<S> Layer<S> for Watch {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        Watched(inner)
    }
}

impl<S, R> Service<R> for Watched<S>
where
    S: Service<R>,
    S::Future: Unpin,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Connecting<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Connecting<S::Future> {
        Connecting(self.0.call(target))
    }
}

impl<F: Future + Unpin> Future for Connecting<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let outcome = Pin::new(&mut self.0).poll(cx);
        if outcome.is_pending() {
            // Outside of a call, a connection is made for whoever comes next.
            let _ = CONNECTS.try_with(|connects| connects.set(true));
        }
        outcome
    }
}
