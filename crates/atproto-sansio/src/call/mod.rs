//! Calls: the requests of a machine to its driver, and the replies of the driver.
//!
//! A machine performs no I/O. It creates a [`Call`] (HTTP request, DNS lookup, store operation,
//! pause, shared machine, signature), the driver performs the call, and the [`Reply`] goes back to
//! the machine's flow.

pub(crate) mod notice;
pub(crate) mod shared;
pub(crate) mod store;

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, Uri};

use crate::call::notice::NotifyCall;
use crate::call::shared::{SharedCall, SharedResult};
use crate::call::store::{StoreCall, StoreError};
use crate::error::{Phase, TransportError};
use crate::mailbox::{Answerer, Interest};
use crate::reach::Reach;
use crate::time::UnixTime;

/// One operation that a machine asks its driver to perform.
///
/// The enum is exhaustive, so every driver handles all kinds. If a driver can't perform a kind of
/// call, it replies with [`Call::unsupported`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "every transport answers every kind")]
#[expect(clippy::large_enum_variant, reason = "most calls are HTTP calls, the largest variant")]
#[must_use = "a call that is dropped is answered with `MaybeSent`"]
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
    /// A notice for the program.
    Notify(NotifyCall),
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
    /// Latest time to send the request. The engine never hands out a call that is too late. A driver
    /// that waits before it sends the request (for a connection, for another request) checks the
    /// time again, and replies with [`Phase::NotSent`].
    pub start_by: Option<UnixTime>,
    /// Least time that must be left of `timeout` when the request is sent. If less is left after a
    /// wait, the driver replies with [`Phase::NotSent`]: a reply would hardly arrive in time, and
    /// the machine must not repeat a request whose reply was lost.
    pub least_time: Duration,
    /// How the driver delivers the body of the response, and its size limit.
    pub answer: Answer,
    /// Hosts and addresses that the request may go to. The engine has checked the URL already; the
    /// driver checks the resolved addresses with [`Reach::check_addresses`].
    pub reach: Reach,
    /// The right to answer this call.
    pub respond: Respond<Response<Bytes>>,
}

/// The body of a request. `Debug` prints the length, not the content.
///
/// ```
/// use atproto_sansio::Body;
/// use http::Request;
///
/// let get = Request::get("/xrpc/com.atproto.server.getSession").body(Body::default());
/// let post = Request::post("/xrpc/com.atproto.repo.createRecord").body(Body::from("{}"));
/// # assert!(get.is_ok() && post.is_ok());
/// ```
#[derive(Clone)]
#[expect(clippy::exhaustive_enums, reason = "a transport must send each of them")]
pub enum Body {
    /// Bytes; a clone shares them, so a machine can repeat the request cheaply.
    Bytes(Bytes),
    /// A one-shot stream that the driver holds and the machine never sees.
    Attached,
}

/// No bytes.
impl Default for Body {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl<B: Into<Bytes>> From<B> for Body {
    fn from(bytes: B) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// How the driver delivers the body of a response, and its size limit in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a transport must serve each of them")]
pub enum Answer {
    /// The whole body, at most this many bytes after content decoding. The driver enforces the
    /// limit while the body arrives, not afterwards: a larger body of a 2xx response fails with
    /// [`Phase::TooLarge`], and that of any other response is cut, because its status decides.
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
    /// Latest time to send the request; `None` for no limit.
    pub start_by: Option<UnixTime>,
    /// Least time that must be left to send the request, for a request that can't be repeated. If
    /// less is left, the call fails with [`Phase::NotSent`].
    pub least_time: Duration,
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

/// An `ES256` signature by a remote signer. `Debug` does not show the message.
pub struct SignCall {
    /// Id of the key, as the remote signer names it.
    pub key_id: String,
    /// The message to sign, not hashed yet.
    pub message: Vec<u8>,
    /// Time limit of the whole call.
    pub timeout: Duration,
    /// The right to answer this call. The reply is `r` and `s`, 32 bytes each.
    pub respond: Respond<[u8; 64]>,
}

/// The right to answer one call of one flow: once, and with the reply type of that call.
///
/// If it is dropped without an answer, the flow answers the call with [`Phase::MaybeSent`] when the
/// driver polls it the next time.
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
#[must_use = "a call that is dropped is answered with `MaybeSent`"]
pub struct Respond<T> {
    pub(crate) address: Address,
    pub(crate) answerer: Answerer,
    /// The limits of the call. `with` enforces them, so that they hold even if the driver did not.
    pub(crate) asked: Asked,
    pub(crate) kind: PhantomData<fn(T)>,
}

/// The answer to one call, to be handed to [`Flow::handle_reply`](crate::Flow::handle_reply).
#[must_use = "hand it to `Flow::handle_reply`"]
pub struct Reply {
    pub(crate) address: Address,
    /// Open until the flow has the reply: a reply that is dropped counts as a dropped call.
    pub(crate) answerer: Answerer,
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
    /// The error of a call of this kind.
    type Error: From<TransportError> + std::error::Error + Send + 'static;

    /// The outcome of a call, checked against the limits of the call, and with its request in the
    /// text of an error.
    #[doc(hidden)]
    fn checked(outcome: Result<Self, Self::Error>, call: &Asked) -> Result<Self, Self::Error> {
        let _ = call;
        outcome
    }
}

/// Target and limit of an HTTP call, as its [`Respond`] knows them.
#[doc(hidden)]
#[derive(Debug)]
pub struct Asked {
    /// Method and URL, for the text of an error.
    pub(crate) target: Option<(Method, Uri)>,
    /// Largest body in bytes.
    pub(crate) limit: usize,
}

mod sealed {
    #[expect(unnameable_types, reason = "a private name seals `Payload` against other crates")]
    pub trait Sealed {}
}

impl sealed::Sealed for Response<Bytes> {}
impl sealed::Sealed for Vec<String> {}
impl sealed::Sealed for () {}
impl sealed::Sealed for [u8; 64] {}
impl sealed::Sealed for SharedResult {}
impl sealed::Sealed for Option<store::Record> {}
impl sealed::Sealed for store::Saved {}
impl sealed::Sealed for store::Deleted {}
impl sealed::Sealed for store::Listing {}

impl Payload for Response<Bytes> {
    type Error = TransportError;

    /// Cuts the body of a response that is not 2xx, because its status decides. A 2xx response
    /// whose body is too large is an error.
    fn checked(
        outcome: Result<Self, TransportError>,
        Asked { target, limit }: &Asked,
    ) -> Result<Self, TransportError> {
        let within = |mut response: Self| {
            let size = response.body().len();
            if size > *limit && response.status().is_success() {
                let detail = format!("{size} bytes where {limit} are allowed");
                return Err(TransportError::new(Phase::TooLarge, detail));
            }
            response.body_mut().truncate(*limit);
            Ok(response)
        };
        outcome.and_then(within).map_err(|error| match target {
            Some(target) => error.about(&target.0, &target.1),
            None => error,
        })
    }
}
impl Payload for Vec<String> {
    type Error = TransportError;
}
impl Payload for () {
    type Error = TransportError;
}
impl Payload for [u8; 64] {
    type Error = TransportError;
}
impl Payload for SharedResult {
    type Error = TransportError;
}
impl Payload for Option<store::Record> {
    type Error = StoreError;
}
impl Payload for store::Saved {
    type Error = StoreError;
}
impl Payload for store::Deleted {
    type Error = StoreError;
}
impl Payload for store::Listing {
    type Error = StoreError;
}

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
            Self::Store(call) => call.fail(error.into()),
            Self::Sleep(call) => call.respond.with(Err(error)),
            Self::Shared(call) => call.respond.with(Err(error)),
            Self::Sign(call) => call.respond.with(Err(error)),
            Self::Notify(call) => call.respond.with(Err(error)),
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
            Self::Notify(call) => call.respond.is_wanted(),
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
            Self::Notify(_) => "notify",
        }
    }
}

impl<T: Payload> Respond<T> {
    /// Answers the call with its result, or with the error that ended it.
    ///
    /// If the body of a 2xx response is larger than the limit of the call, the reply becomes
    /// [`Phase::TooLarge`]; the body of any other response is cut. The text of an error of an HTTP
    /// call gets method, host, port and path in front.
    pub fn with(self, outcome: Result<T, T::Error>) -> Reply {
        let outcome = T::checked(outcome, &self.asked);
        Reply { address: self.address, answerer: self.answerer, outcome: Box::new(outcome) }
    }

    /// Returns whether the machine still waits for this reply.
    pub fn is_wanted(&self) -> bool {
        self.answerer.is_wanted()
    }

    /// Returns the machine's wish for this reply, for a driver that moves `self` into a task and cancels the task
    /// when the machine no longer waits.
    pub fn interest(&self) -> Interest {
        self.answerer.interest()
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
            least_time: Duration::ZERO,
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
        f.debug_struct("SignCall")
            .field("key_id", &self.key_id)
            .field("timeout", &self.timeout)
            .field("respond", &self.respond)
            .finish_non_exhaustive()
    }
}
