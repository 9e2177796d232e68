//! What the driver holds and the machine never sees: a body to send, a body that arrives.

use std::fmt;
use std::io::{self, Read};

use atproto_sansio::{Phase, TransportError};
use ureq::BodyReader;

/// The body of a request, read while it is sent.
///
/// Reading it should not block: the time of a call does not interrupt it.
pub struct AttachedBody<'a> {
    pub(crate) reader: Box<dyn Read + 'a>,
    pub(crate) length: Option<u64>,
}

/// The streams of one run.
#[derive(Default)]
pub(crate) struct Streams<'a> {
    attached: Option<AttachedBody<'a>>,
    was_taken: bool,
    streamed: Option<Incoming>,
}

/// A body that arrives while it is read.
pub(crate) struct Incoming(pub(crate) BodyReader<'static>);

/// A reader that gives `left` bytes or fails, since ureq waits idly for those that are missing.
pub(crate) struct Exactly<R> {
    pub(crate) reader: R,
    pub(crate) left: u64,
}

impl<'a> AttachedBody<'a> {
    /// A body of the next `length` bytes of `reader`. If `length` is `None`, the body is sent in
    /// chunks until `reader` ends.
    pub fn new(reader: impl Read + 'a, length: Option<u64>) -> Self {
        Self { reader: Box::new(reader), length }
    }
}

impl<'a> Streams<'a> {
    pub(crate) fn with_body(body: AttachedBody<'a>) -> Self {
        Self { attached: Some(body), ..Self::default() }
    }

    /// The attached body, once.
    pub(crate) fn take_body(&mut self) -> Result<AttachedBody<'a>, TransportError> {
        let reason = match self.was_taken {
            true => "the attached body was sent already",
            false => "no body is attached to this run",
        };
        self.was_taken |= self.attached.is_some();
        self.attached.take().ok_or_else(|| TransportError::new(Phase::NotSent, reason))
    }

    /// Keeps the body of a streamed reply, in place of an earlier one.
    pub(crate) fn keep(&mut self, body: Incoming) {
        self.streamed = Some(body);
    }

    pub(crate) fn into_streamed(self) -> Option<Box<dyn Read + Send>> {
        self.streamed.map(|incoming| Box::new(incoming) as _)
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match ureq::Error::from(error) {
            ureq::Error::Io(error) => error,
            ureq::Error::Timeout(_) => {
                io::Error::new(io::ErrorKind::TimedOut, "the time of the call is over")
            }
            _ => io::Error::new(io::ErrorKind::InvalidData, "the body is not well-formed"),
        })
    }
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.reader.by_ref().take(self.left).read(buffer)?;
        self.left = self.left.saturating_sub(got as u64);
        if got == 0 && self.left > 0 && !buffer.is_empty() {
            let reason = "the body is shorter than its length";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Ok(got)
    }
}

impl fmt::Debug for AttachedBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachedBody").field("length", &self.length).finish_non_exhaustive()
    }
}
