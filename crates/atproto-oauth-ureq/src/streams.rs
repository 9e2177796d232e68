//! Bodies that the driver holds for a machine: the attached body of a request, and the streamed
//! body of a reply.

use std::fmt;
use std::io::{self, Read};

use atproto_sansio::{Phase, TransportError};
use ureq::BodyReader;

use crate::witness::{self, Allowance};

/// The body of a request, which the driver reads during the transfer.
///
/// The reader must not wait for a slow source such as a network connection, because the timeout of
/// the call does not interrupt it. A file is fine.
pub struct AttachedBody<'a> {
    pub(crate) reader: Box<dyn Read + 'a>,
    pub(crate) length: Option<u64>,
}

/// The attached and the streamed body of one run.
#[derive(Default)]
pub(crate) struct Streams<'a> {
    attached: Option<AttachedBody<'a>>,
    /// Whether a request has already used the attached body.
    was_taken: bool,
    streamed: Option<Incoming>,
}

/// The unread body of a streamed reply.
pub(crate) struct Incoming(pub(crate) BodyReader<'static>);

/// A reader that fails if `reader` ends before `left` bytes, because ureq would wait for the
/// missing bytes until the call times out.
///
/// If the server takes no more of the request, the rest of `reader` is not read: the connection
/// discards it anyway.
pub(crate) struct Exactly<R> {
    pub(crate) reader: R,
    pub(crate) left: u64,
}

/// A reader that ends with `reader`, or as soon as the server takes no more of the request.
pub(crate) struct UntilCutShort<R>(pub(crate) R);

impl<'a> AttachedBody<'a> {
    /// Creates a body from the next `length` bytes of `reader`. If `length` is `None`, the body is
    /// sent in chunks until `reader` ends.
    pub fn new(reader: impl Read + 'a, length: Option<u64>) -> Self {
        Self { reader: Box::new(reader), length }
    }
}

impl<'a> Streams<'a> {
    pub(crate) fn with_body(body: AttachedBody<'a>) -> Self {
        Self { attached: Some(body), ..Self::default() }
    }

    /// Returns the attached body the first time, and fails with `NotSent` after that.
    pub(crate) fn take_body(&mut self) -> Result<AttachedBody<'a>, TransportError> {
        let reason = match self.was_taken {
            true => "the attached body was sent already",
            false => "no body is attached to this run",
        };
        self.was_taken |= self.attached.is_some();
        self.attached.take().ok_or_else(|| TransportError::new(Phase::NotSent, reason))
    }

    /// Stores the body of a streamed reply, and drops the body of an earlier one.
    pub(crate) fn keep(&mut self, body: Incoming) {
        self.streamed = Some(body);
    }

    pub(crate) fn into_streamed(self) -> Option<Box<dyn Read + Send>> {
        self.streamed.map(|incoming| Box::new(incoming) as _)
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let _allowance = Allowance::of(MAX_BESIDE);
        self.0.read(buffer).map_err(|error| match ureq::Error::from(error) {
            ureq::Error::Io(error) => error,
            ureq::Error::Timeout(_) => {
                io::Error::new(io::ErrorKind::TimedOut, "the call timed out")
            }
            _ => io::Error::new(io::ErrorKind::InvalidData, "the body of the reply is malformed"),
        })
    }
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = match witness::was_cut_short() {
            true => buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX)),
            false => self.reader.by_ref().take(self.left).read(buffer)?,
        };
        self.left = self.left.saturating_sub(got as u64);
        if got == 0 && self.left > 0 && !buffer.is_empty() {
            let reason = "the attached body is shorter than its declared length";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Ok(got)
    }
}

impl<R: Read> Read for UntilCutShort<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match witness::was_cut_short() {
            true => Ok(0),
            false => self.0.read(buffer),
        }
    }
}

impl fmt::Debug for AttachedBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachedBody").field("length", &self.length).finish_non_exhaustive()
    }
}

/// How much may arrive beside the bytes of a body before the next of them: trailers, mostly.
pub(crate) const MAX_BESIDE: usize = 16 * 1024;
