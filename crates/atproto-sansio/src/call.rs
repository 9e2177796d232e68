//! Calls: the requests of a machine to its driver, and the replies of the driver.
//!
//! A machine performs no I/O. It creates a [`Call`] (HTTP request, DNS lookup, store operation,
//! pause, shared machine, signature), the driver performs the call, and the [`Reply`] goes back to
//! the machine's flow.

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

/// One operation that a machine asks its driver to perform.
///
/// The enum is exhaustive, so every driver handles all kinds. If a driver can't perform a kind of
/// call, it replies with [`Call::unsupported`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "every transport answers every kind")]
#[expect(clippy::large_enum_variant, reason = "most calls are HTTP calls, the largest variant")]
#[must_use = "a call that is never answered leaves its flow waiting"]
pub enum Call {
    /// One HTTP request.
    Http(HttpCall),
    /// One DNS TXT lookup.
    Txt(TxtCall),
    /// One operation on a record store.
    Store(StoreCall),
    /// A pause.
    Sleep(SleepCall),
    /// A machine that the driver runs once for all flows that ask for the same key.
    Shared(SharedCall),
    /// A signature by a remote signer, for example an HSM or a key service.
    Sign(SignCall),
}

/// One HTTP request, sent once. The driver follows no redirect: a redirect is a reply.
///
/// The driver sends every header of the request and hands back every header of the response. A
/// response of any status is a reply. The driver never sends the request a second time by itself.
pub struct HttpCall {
    /// The request, with an absolute URL.
    pub request: Request<Body>,
    /// Time limit of the whole call: DNS lookup, connection, request and response body.
    pub timeout: Duration,
    /// Latest time to start. If it has passed, the driver replies with [`Phase::NotSent`].
    pub start_by: Option<UnixTime>,
    /// How the driver delivers the body of the response, and its size limit.
    pub answer: Answer,
    /// Hosts and addresses that the request may go to. The engine has checked the URL already; the
    /// driver checks the resolved addresses with [`Reach::check_addresses`].
    pub reach: Reach,
    /// The right to answer this call.
    pub respond: Respond<Response<Bytes>>,
}

/// The body of a request. `Debug` prints the length, not the content.
#[derive(Clone)]
#[expect(clippy::exhaustive_enums, reason = "a transport must send each of them")]
pub enum Body {
    /// Bytes; a clone shares them, so a machine can repeat the request cheaply.
    Bytes(Bytes),
    /// A one-shot stream that the driver holds and the machine never sees.
    Attached,
}

/// How the driver delivers the body of a response, and its size limit in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a transport must serve each of them")]
pub enum Answer {
    /// The whole body, at most this many bytes after content decoding. The driver enforces the
    /// limit while the body arrives, not afterwards.
    Buffered(usize),
    /// If the status is 2xx, the reply has the head only, and the driver keeps the body as a
    /// stream. For any other status the driver buffers the body, because the machine reads it.
    Streamed {
        /// Size limit of the body of a response that is not 2xx, in bytes.
        errors: usize,
    },
}

/// The settings of one HTTP request: time limit, size limit, network policy, latest start.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Time limit of the whole call: DNS lookup, connection, request and response body.
    pub timeout: Duration,
    /// How the driver delivers the body of the response, and its size limit.
    pub answer: Answer,
    /// Hosts and addresses that the request may go to.
    pub reach: Reach,
    /// Latest time to start; `None` for no limit.
    pub start_by: Option<UnixTime>,
}

/// A lookup of the DNS TXT records of one name.
///
/// The reply has one string for each record: the driver joins the strings within a record without a
/// separator. If the name does not exist, or has no TXT record, the reply is an empty list. If the
/// lookup fails, the reply is an error.
#[derive(Debug)]
pub struct TxtCall {
    /// DNS name without the final dot. The driver looks it up as an absolute name, without search
    /// domains.
    pub name: String,
    /// Time limit of the whole lookup.
    pub timeout: Duration,
    /// The right to answer this call.
    pub respond: Respond<Vec<String>>,
}

/// A pause: the driver replies after `duration`.
#[derive(Debug)]
pub struct SleepCall {
    /// Length of the pause.
    pub duration: Duration,
    /// The right to answer this call.
    pub respond: Respond<()>,
}

/// A machine that the driver runs once for all flows of this process that ask for the same `key`.
///
/// If a machine with this `key` is running already, the driver drops the new machine and replies
/// when the running machine ends. The driver runs the machine to its end even if no flow waits for
/// it any more. A driver that runs one flow at a time runs the machine at once, before it replies.
pub struct SharedCall {
    /// Name of the shared work; equal keys mean the same work.
    pub key: String,
    /// The machine to run, with its own [`Flow`](crate::Flow).
    pub machine: Box<dyn Machine<Output = (), Error = Infallible> + Send>,
    /// The right to answer this call.
    pub respond: Respond<()>,
}

/// An `ES256` signature by a remote signer. `Debug` does not show the message.
pub struct SignCall {
    /// Id of the key, as the remote signer names it.
    pub key_id: String,
    /// The message to sign, not hashed yet.
    pub message: Vec<u8>,
    /// The right to answer this call. The reply is `r` and `s`, 32 bytes each.
    pub respond: Respond<[u8; 64]>,
}

/// The right to answer one call of one flow: once, and with the reply type of that call.
///
/// An answer of another type does not compile:
///
/// ```compile_fail
/// # use atproto_sansio::{Respond, Reply};
/// fn answer(respond: Respond<Vec<String>>) -> Reply {
///     respond.with(Ok(()))
/// }
/// ```
///
/// A second answer does not compile, either:
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
    /// Host of an HTTP call, for the text of an error.
    pub(crate) host: Option<String>,
    /// Largest body in bytes. `with` replaces a larger reply by [`Phase::TooLarge`], so that the
    /// limit holds even if the driver did not enforce it.
    pub(crate) limit: usize,
    pub(crate) ticket: Weak<()>,
    pub(crate) kind: PhantomData<fn(T)>,
}

/// The answer to one call, to be handed to [`Flow::handle_reply`](crate::Flow::handle_reply).
#[must_use = "hand it to `Flow::handle_reply`"]
pub struct Reply {
    pub(crate) address: Address,
    pub(crate) outcome: Box<dyn Any + Send>,
}

/// Identifies one call of one flow.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) flow: Arc<()>,
    pub(crate) slot: u64,
}

/// The type of the reply to one kind of call; a sealed trait.
pub trait Payload: sealed::Sealed + Send + Sized + 'static {
    /// Number of bytes that count against the size limit of the call.
    #[doc(hidden)]
    fn size(&self) -> usize {
        0
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "a private name seals `Payload` against other crates")]
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
    /// Replies with [`Phase::Unsupported`]: this driver can't perform this kind of call.
    pub fn unsupported(self) -> Reply {
        let detail = format!("{} calls are not supported", self.kind());
        self.fail(TransportError::new(Phase::Unsupported, detail))
    }

    /// Replies with `error`, whatever kind of call this is.
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

    /// Returns whether the machine still waits for the reply. The machine can withdraw the call at
    /// any time, so a driver may ask again while it performs the call.
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
    /// Answers the call with its result, or with the error that ended it.
    ///
    /// If the body is larger than the limit of the call, the reply becomes [`Phase::TooLarge`]. The
    /// text of an error of an HTTP call gets the host in front.
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

    /// Returns whether the machine still waits for this reply.
    pub fn is_wanted(&self) -> bool {
        self.ticket.strong_count() > 0
    }
}

impl How {
    /// A buffered response body of at most `max` bytes, a time limit of 10 seconds, no latest
    /// start.
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
    /// Size limit of the body that a machine receives, in bytes.
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

/// Prints header names but no header value, no query and no body, because these hold tokens and
/// drivers log their calls.
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
