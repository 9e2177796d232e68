//! [`StreamedBody`]: the unread body of a streamed reply.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use atproto_sansio::{Phase, TransportError};
use bytes::Bytes;
use http_body::Body as _;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::failure;

/// The unread body of a streamed reply. Reading it receives the body from the server.
///
/// If the value is dropped before its end, the rest of the reply is not received.
#[must_use = "the body of the reply is lost if it is not read"]
pub struct StreamedBody {
    body: Option<reqwest::Body>,
    end: Pin<Box<Sleep>>,
}

impl StreamedBody {
    pub(crate) fn new(body: reqwest::Body, deadline: Instant) -> Self {
        Self { body: Some(body), end: Box::pin(sleep_until(deadline)) }
    }

    /// Waits for the next piece; `None` at the end of the body, and after an error.
    ///
    /// The future is cancel-safe: if it is dropped, no piece is lost.
    pub async fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next piece, for a caller that implements `Stream`; see [`next`](Self::next).
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, TransportError>>> {
        let piece = ready!(self.poll_piece(cx));
        if !matches!(piece, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(piece)
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        if self.end.as_mut().poll(cx).is_ready() {
            let error = TransportError::new(Phase::TimedOut, "the call timed out");
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(failure::within_body(&error)))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => return Poll::Ready(Some(Ok(piece))),
                    Err(_trailers) => {}
                },
            }
        }
    }
}

impl fmt::Debug for StreamedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamedBody").finish_non_exhaustive()
    }
}
