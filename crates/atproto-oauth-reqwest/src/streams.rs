//! Bodies that the driver holds for a machine: the attached body of a request, and the streamed
//! body of a reply.

use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use atproto_sansio::{Phase, TransportError};
use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::streamed::StreamedBody;

/// The body of a request, which the driver polls for its pieces during the transfer.
pub struct AttachedBody {
    pub(crate) poll: Box<PollPiece>,
    pub(crate) length: Option<u64>,
}

/// Returns the next piece of an attached body; `None` at its end.
pub(crate) type PollPiece = dyn FnMut(&mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> + Send;

/// The attached and the streamed body of one run.
#[derive(Default)]
pub(crate) struct Streams {
    bodies: Mutex<Bodies>,
}

#[derive(Default)]
struct Bodies {
    attached: Option<AttachedBody>,
    /// Whether a request has already used the attached body.
    was_taken: bool,
    streamed: Option<StreamedBody>,
}

impl AttachedBody {
    /// Creates a body of the next `length` bytes of `reader`, such as a `tokio::fs::File`. If
    /// `length` is `None`, the body is sent in chunks until `reader` ends.
    pub fn new(reader: impl AsyncRead + Send + 'static, length: Option<u64>) -> Self {
        let mut reader = Box::pin(reader);
        let mut piece = vec![0; PIECE];
        let poll = move |cx: &mut Context<'_>| {
            let mut buffer = ReadBuf::new(&mut piece);
            if let Err(error) = ready!(reader.as_mut().poll_read(cx, &mut buffer)) {
                return Poll::Ready(Some(Err(error)));
            }
            let filled = buffer.filled();
            Poll::Ready((!filled.is_empty()).then(|| Ok(Bytes::copy_from_slice(filled))))
        };
        Self::from_poll(poll, length)
    }

    /// Creates a body from the pieces that `poll` returns, with the contract of
    /// `Stream::poll_next`.
    ///
    /// If `length` is `None`, the body is sent in chunks until `poll` returns `None`. `poll` is not
    /// called again after `None` or an error.
    pub fn from_poll(
        poll: impl FnMut(&mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> + Send + 'static,
        length: Option<u64>,
    ) -> Self {
        Self { poll: Box::new(poll), length }
    }
}

/// How many bytes are read at once from the reader of an attached body.
const PIECE: usize = 64 * 1024;

impl Streams {
    pub(crate) fn with_body(body: AttachedBody) -> Self {
        let bodies = Bodies { attached: Some(body), ..Bodies::default() };
        Self { bodies: Mutex::new(bodies) }
    }

    /// Returns the attached body the first time, and fails with `NotSent` after that.
    pub(crate) fn take_body(&self) -> Result<AttachedBody, TransportError> {
        let mut bodies = self.lock();
        let reason = match bodies.was_taken {
            true => "the attached body was sent already",
            false => "no body is attached to this run",
        };
        bodies.was_taken |= bodies.attached.is_some();
        bodies.attached.take().ok_or_else(|| TransportError::new(Phase::NotSent, reason))
    }

    /// Stores the body of a streamed reply, and drops the body of an earlier one.
    pub(crate) fn keep(&self, body: StreamedBody) {
        self.lock().streamed = Some(body);
    }

    pub(crate) fn take_streamed(&self) -> Option<StreamedBody> {
        self.lock().streamed.take()
    }

    fn lock(&self) -> MutexGuard<'_, Bodies> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AttachedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachedBody").field("length", &self.length).finish_non_exhaustive()
    }
}
