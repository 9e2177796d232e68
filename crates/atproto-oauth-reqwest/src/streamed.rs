//! A body that arrives while it is read.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use atproto_sansio::{Phase, TransportError};
use bytes::Bytes;
use http_body::{Body as _, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::failure;

/// A body that arrives while it is read.
///
/// Dropping it ends the reply.
#[must_use = "a body that is not read is lost"]
pub struct StreamedBody {
    body: Option<reqwest::Body>,
    end: Pin<Box<Sleep>>,
}

impl StreamedBody {
    pub(crate) fn new(body: reqwest::Body, deadline: Instant) -> Self {
        Self { body: Some(body), end: Box::pin(sleep_until(deadline)) }
    }

    /// What is known of the length, apart from what the head says: the reply to a HEAD request
    /// declares a body that never comes.
    pub(crate) fn size(&self) -> SizeHint {
        self.body.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }

    /// The next piece; `None` at the end of the body, and after an error.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next piece, for those who make a stream of it.
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
            let error = TransportError::new(Phase::TimedOut, "the time of the call is over");
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
