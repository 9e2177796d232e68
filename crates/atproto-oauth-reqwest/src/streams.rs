//! What the driver holds and the machine never sees: a body to send, a body that arrives.

use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use atproto_sansio::{Phase, TransportError};
use bytes::Bytes;

use crate::streamed::StreamedBody;

/// The body of a request, taken piece by piece while it is sent.
pub struct AttachedBody {
    pub(crate) poll: Box<PollPiece>,
    pub(crate) length: Option<u64>,
}

pub(crate) type PollPiece = dyn FnMut(&mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> + Send;

/// The streams of one run.
#[derive(Default)]
pub(crate) struct Streams {
    bodies: Mutex<Bodies>,
}

#[derive(Default)]
struct Bodies {
    attached: Option<AttachedBody>,
    was_taken: bool,
    streamed: Option<StreamedBody>,
}

impl AttachedBody {
    /// A body whose pieces `poll` gives, as the `poll_next` of any stream does.
    ///
    /// If `length` is not known, the body is sent in chunks until `poll` gives `None`. After that,
    /// or after an error, it is not called again.
    pub fn new(
        poll: impl FnMut(&mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> + Send + 'static,
        length: Option<u64>,
    ) -> Self {
        Self { poll: Box::new(poll), length }
    }
}

impl Streams {
    pub(crate) fn with_body(body: AttachedBody) -> Self {
        let bodies = Bodies { attached: Some(body), ..Bodies::default() };
        Self { bodies: Mutex::new(bodies) }
    }

    /// The attached body, once.
    pub(crate) fn take_body(&self) -> Result<AttachedBody, TransportError> {
        let mut bodies = self.lock();
        let reason = match bodies.was_taken {
            true => "the attached body was sent already",
            false => "no body is attached to this run",
        };
        bodies.was_taken |= bodies.attached.is_some();
        bodies.attached.take().ok_or_else(|| TransportError::new(Phase::NotSent, reason))
    }

    /// Keeps the body of a streamed reply, in place of an earlier one.
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
