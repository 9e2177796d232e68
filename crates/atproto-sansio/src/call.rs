//! Everything a machine may ask of the world.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::error::{Phase, TransportError};
use crate::machine::Machine;
use crate::reach::Reach;
use crate::store::StoreCall;
use crate::time::UnixTime;

/// Everything a machine may ask of the world.
///
/// The enum is closed: every transport knows all kinds, and answers one that it can't perform with
/// [`Call::unsupported`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "every transport answers every kind")]
#[expect(clippy::large_enum_variant, reason = "most calls are the large one")]
#[must_use = "a call that is never answered leaves its flow waiting"]
pub enum Call {
    /// One HTTP request.
    Http(HttpCall),
    /// One DNS TXT look-up.
    Txt(TxtCall),
    /// One operation on a record store.
    Store(StoreCall),
    /// A pause.
    Sleep(SleepCall),
    /// A machine to run once for all who ask for it.
    Shared(SharedCall),
    /// A signature by a key that lives elsewhere.
    Sign(SignCall),
}

/// One HTTP request. No redirect is followed: a redirect is a reply.
///
/// Every header is sent and every header of the reply is handed back. Any status is a reply.
/// The request is sent once; a transport never repeats it by itself.
pub struct HttpCall {
    /// What to send.
    pub request: Request<Body>,
    /// The time for all of it: look-up, connection, request, whole reply.
    pub timeout: Duration,
    /// A driver that would start later answers [`Phase::NotSent`].
    pub start_by: Option<UnixTime>,
    /// How the body of the reply is wanted.
    pub answer: Answer,
    /// Where the request may go. What can be known without resolving a name was checked.
    pub reach: Reach,
    /// The right to answer.
    pub respond: Respond<Response<Bytes>>,
}

/// The body of a request. Its `Debug` prints no content.
#[derive(Clone)]
#[expect(clippy::exhaustive_enums, reason = "a transport must send each of them")]
pub enum Body {
    /// Bytes, cheap to repeat.
    Bytes(Bytes),
    /// A one-shot stream that the driver holds and the machine never sees.
    Attached,
}

/// How the body of a reply is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a transport must serve each of them")]
pub enum Answer {
    /// Whole, and at most this many bytes after decoding; the limit holds while it streams in.
    Buffered(usize),
    /// A 2xx reply is its head alone, and the driver keeps the stream. Any other status is
    /// buffered up to `errors` bytes, since the machine decides on it.
    Streamed {
        /// The limit for a reply that is not 2xx.
        errors: usize,
    },
}

/// How one request is to be performed.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// The time for all of it.
    pub timeout: Duration,
    /// How the body of the reply is wanted.
    pub answer: Answer,
    /// Where the request may go.
    pub reach: Reach,
    /// Not to be started later than this.
    pub start_by: Option<UnixTime>,
}

/// The TXT records of one name.
///
/// The strings of one record are joined without a separator, and records are kept apart. That
/// there is no such name, or no such record, is a reply without records; a failure to find out is
/// an error.
#[derive(Debug)]
pub struct TxtCall {
    /// A name without the final dot, to be looked up as an absolute one.
    pub name: String,
    /// The time for all of it.
    pub timeout: Duration,
    /// The right to answer.
    pub respond: Respond<Vec<String>>,
}

/// A pause.
#[derive(Debug)]
pub struct SleepCall {
    /// How long.
    pub duration: Duration,
    /// The right to answer.
    pub respond: Respond<()>,
}

/// A machine to run once, to its end, for all in this process who ask for `key` while it runs.
///
/// It runs on even if all who asked are gone. A simple driver runs it in place.
pub struct SharedCall {
    /// What is shared.
    pub key: String,
    /// What to run.
    pub machine: Box<dyn Machine<Output = (), Error = Infallible> + Send>,
    /// The right to answer.
    pub respond: Respond<()>,
}

/// An `ES256` signature by a key that lives elsewhere. `Debug` does not show the message.
pub struct SignCall {
    /// Which key.
    pub key_id: String,
    /// What to sign.
    pub message: Vec<u8>,
    /// The right to answer, with `r` and `s`.
    pub respond: Respond<[u8; 64]>,
}

/// The right to answer one call of one flow, once, with its own kind of reply.
///
/// An answer of another kind does not compile:
///
/// ```compile_fail
/// # use atproto_sansio::{Respond, Reply};
/// fn answer(respond: Respond<Vec<String>>) -> Reply {
///     respond.with(Ok(()))
/// }
/// ```
///
/// and neither does a second answer:
///
/// ```compile_fail
/// # use atproto_sansio::{Respond, Reply};
/// fn answer_twice(respond: Respond<()>) -> [Reply; 2] {
///     [respond.with(Ok(())), respond.with(Ok(()))]
/// }
/// ```
#[must_use = "a call that is never answered leaves its flow waiting"]
pub struct Respond<T> {
    pub(crate) address: Address,
    /// Who was asked, for people to read in an error.
    pub(crate) host: Option<String>,
    /// The largest reply that the machine accepts, whatever the driver did about it.
    pub(crate) limit: usize,
    pub(crate) ticket: Weak<()>,
    pub(crate) kind: PhantomData<fn(T)>,
}

/// An answer on its way to its flow.
#[must_use = "hand it to `Flow::handle_reply`"]
pub struct Reply {
    pub(crate) address: Address,
    pub(crate) outcome: Box<dyn Any + Send>,
}

/// Which call of which flow.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) flow: Arc<()>,
    pub(crate) slot: u64,
}

/// What a call can be answered with. Sealed.
pub trait Payload: sealed::Sealed + Send + Sized + 'static {
    /// Bytes that count against the limit of the call.
    #[doc(hidden)]
    fn size(&self) -> usize {
        0
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "that is what seals it")]
    pub trait Sealed {}
}

impl sealed::Sealed for Response<Bytes> {}
impl sealed::Sealed for Vec<String> {}
impl sealed::Sealed for () {}
impl sealed::Sealed for [u8; 64] {}
impl sealed::Sealed for Option<crate::store::Record> {}
impl sealed::Sealed for crate::store::Saved {}
impl sealed::Sealed for crate::store::Deleted {}

impl Payload for Response<Bytes> {
    fn size(&self) -> usize {
        self.body().len()
    }
}
impl Payload for Vec<String> {}
impl Payload for () {}
impl Payload for [u8; 64] {}
impl Payload for Option<crate::store::Record> {}
impl Payload for crate::store::Saved {}
impl Payload for crate::store::Deleted {}

impl Call {
    /// The reply of a transport that can't perform this kind of call.
    pub fn unsupported(self) -> Reply {
        let detail = format!("{} calls are not supported", self.kind());
        self.fail(TransportError::new(Phase::Unsupported, detail))
    }

    /// The reply that says why the call brought nothing.
    pub fn fail(self, error: TransportError) -> Reply {
        match self {
            Self::Http(call) => call.respond.with(Err(error)),
            Self::Txt(call) => call.respond.with(Err(error)),
            Self::Store(call) => call.fail(error),
            Self::Sleep(call) => call.respond.with(Err(error)),
            Self::Shared(call) => call.respond.with(Err(error)),
            Self::Sign(call) => call.respond.with(Err(error)),
        }
    }

    /// Whether the machine still waits for the answer. It may change its mind at any time.
    pub fn is_wanted(&self) -> bool {
        match self {
            Self::Http(call) => call.respond.is_wanted(),
            Self::Txt(call) => call.respond.is_wanted(),
            Self::Store(call) => call.is_wanted(),
            Self::Sleep(call) => call.respond.is_wanted(),
            Self::Shared(call) => call.respond.is_wanted(),
            Self::Sign(call) => call.respond.is_wanted(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Txt(_) => "txt",
            Self::Store(_) => "store",
            Self::Sleep(_) => "sleep",
            Self::Shared(_) => "shared",
            Self::Sign(_) => "sign",
        }
    }
}

impl<T: Payload> Respond<T> {
    /// Answers the call: with what it asked for, or with how far it got.
    pub fn with(self, outcome: Result<T, TransportError>) -> Reply {
        let outcome = outcome.and_then(|payload| match payload.size() {
            size if size > self.limit => Err(TransportError::new(
                Phase::TooLarge,
                format!("{size} bytes where {} are allowed", self.limit),
            )),
            _ => Ok(payload),
        });
        let outcome = outcome.map_err(|error| match self.host {
            Some(host) => error.about(&host),
            None => error,
        });
        Reply { address: self.address, outcome: Box::new(outcome) }
    }

    /// Whether the machine still waits for this answer.
    pub fn is_wanted(&self) -> bool {
        self.ticket.strong_count() > 0
    }
}

impl How {
    /// Ten seconds for at most `max` bytes.
    pub const fn buffered(max: usize, reach: Reach) -> Self {
        Self {
            timeout: Duration::from_secs(10),
            answer: Answer::Buffered(max),
            reach,
            start_by: None,
        }
    }
}

impl Answer {
    /// The largest body that a machine may be handed.
    pub(crate) fn limit(self) -> usize {
        match self {
            Self::Buffered(max) => max,
            Self::Streamed { errors } => errors,
        }
    }
}

impl<T> fmt::Debug for Respond<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Respond(#{})", self.address.slot)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply(#{})", self.address.slot)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Attached => f.write_str("Attached"),
        }
    }
}

/// Prints no header value, no query and no body: a transport's log is where tokens leak.
impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = self.request.uri();
        f.debug_struct("HttpCall")
            .field("method", self.request.method())
            .field("host", &uri.host().unwrap_or_default())
            .field("path", &uri.path())
            .field("headers", &self.request.headers().keys().collect::<Vec<_>>())
            .field("timeout", &self.timeout)
            .field("answer", &self.answer)
            .field("reach", &self.reach)
            .field("respond", &self.respond)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SignCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignCall").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for SharedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCall").field("key", &self.key).finish_non_exhaustive()
    }
}
