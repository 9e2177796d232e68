//! [`Endpoint`]: one HTTP request and the parser of its response. [`Fetch`] sends it once.

use std::fmt;
use std::task::{Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use url::Url;

use crate::call::{Body, How};
use crate::cx::Cx;
use crate::env::Entropy;
use crate::error::TransportError;
use crate::machine::Machine;
use crate::mailbox::Ticket;
use crate::step::{Step, Steps};
use crate::time::UnixTime;

/// One HTTP request and the parser of its response; the leaf of a tree of machines.
///
/// [`request`](Self::request) builds a new request for each attempt, so that a retry carries fresh
/// identifiers and times.
pub trait Endpoint {
    /// Value of a successful response.
    type Output;
    /// Error of a failed call, of an error response, or of a response that can't be parsed.
    type Error: From<TransportError>;

    /// URL of the request, if it is known before the request is built; `None` by default. A layer
    /// that knows the clock of this server uses it to put the server's time into [`Fresh::now`].
    fn url(&self) -> Option<&Url> {
        None
    }

    /// Returns the message that a remote signer must sign before the request can be built; `None`
    /// by default. The signature is passed to [`request`](Self::request) in [`Fresh::signed`].
    ///
    /// # Errors
    ///
    /// Fails if the request can't be built from the endpoint's fields.
    fn to_sign(&self, fresh: Fresh<'_>) -> Result<Option<ToSign>, Self::Error> {
        let _ = fresh;
        Ok(None)
    }

    /// Builds the request from the endpoint's fields and the values of this attempt (`fresh`).
    ///
    /// # Errors
    ///
    /// Fails if the request can't be built from the endpoint's fields.
    fn request(&self, fresh: Fresh<'_>) -> Result<Request<Body>, Self::Error>;

    /// Time limit, size limit and network policy of the request.
    fn how(&self) -> How;

    /// Parses the response.
    ///
    /// # Errors
    ///
    /// Fails if the server refused the request, or if the response violates the specification.
    fn response(&self, response: Response<Bytes>) -> Result<Self::Output, Self::Error>;
}

/// Values that are new on each attempt: time, entropy, signature.
#[non_exhaustive]
pub struct Fresh<'a> {
    /// Wall-clock time of the server if it is known, otherwise the local time ([`Cx::now`]).
    pub now: UnixTime,
    /// A source of unpredictable bytes.
    pub entropy: &'a mut dyn Entropy,
    /// The message of [`Endpoint::to_sign`] and its signature; `None` if there was no message.
    pub signed: Option<Signed<'a>>,
}

/// A message and its `ES256` signature by a remote signer.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The signed message, equal to [`ToSign::message`].
    pub message: &'a [u8],
    /// `r` and `s`, 32 bytes each.
    pub signature: &'a [u8; 64],
}

/// A message to be signed by a remote signer.
#[derive(Clone, Eq, PartialEq)]
pub struct ToSign {
    /// Id of the key, as the remote signer names it.
    pub key_id: String,
    /// The message, not hashed yet.
    pub message: Vec<u8>,
}

/// Prints neither message nor signature, because together they are a credential.
impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").finish_non_exhaustive()
    }
}

/// Prints no message, because the message holds the claims of a credential.
impl fmt::Debug for ToSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToSign").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ticket.fmt(f)
    }
}

impl<'a> Fresh<'a> {
    /// Fresh values without a signature.
    pub fn new(now: UnixTime, entropy: &'a mut dyn Entropy) -> Self {
        Self { now, entropy, signed: None }
    }
}

impl Cx<'_> {
    /// Fresh values for an [`Endpoint`](crate::Endpoint) whose server has the time `now`.
    pub fn fresh_at(&mut self, now: UnixTime) -> Fresh<'_> {
        Fresh::new(now, self.entropy())
    }
}

/// The next request of an [`Endpoint`]: waits for its turn, obtains a signature if the endpoint
/// needs one, and builds the request. Machines that send endpoints, such as [`Fetch`], use it.
///
/// ```text
/// new ──▶ Turn ──▶ Signature ──▶ request
///           └───────────────────────▲
/// ```
#[derive(Debug)]
pub struct Draft {
    place: Ticket<Response<Bytes>>,
    signing: Option<Signing>,
}

/// A message that a remote signer signs.
struct Signing {
    message: Vec<u8>,
    ticket: Ticket<[u8; 64]>,
}

impl Draft {
    /// Reserves a place at the end of the queue.
    pub fn new(cx: &mut Cx<'_>) -> Self {
        Self { place: cx.reserve(), signing: None }
    }

    /// Reserves the first place of the queue, for a retry.
    pub fn again(cx: &mut Cx<'_>) -> Self {
        Self { place: cx.reserve_first(), signing: None }
    }

    /// Returns the request, built at the server's time that `now` returns; `Pending` as long as its
    /// turn has not come, or the signature is outstanding.
    ///
    /// # Errors
    ///
    /// Fails if the request can't be built, or if the remote signer does not sign. The error of the
    /// signer is [`Phase::NotSent`](crate::Phase::NotSent), `Blocked` or `Unsupported`, because no
    /// request was sent.
    pub fn poll<E: Endpoint>(
        &mut self,
        endpoint: &E,
        now: impl Fn(&Cx<'_>) -> UnixTime,
        cx: &mut Cx<'_>,
    ) -> Poll<Result<Request<Body>, E::Error>> {
        if !cx.is_due(&self.place) {
            return Poll::Pending;
        }
        let now = now(cx);
        let Some(Signing { message, ticket }) = &self.signing else {
            let Some(ToSign { key_id, message }) = endpoint.to_sign(cx.fresh_at(now))? else {
                return Poll::Ready(endpoint.request(cx.fresh_at(now)));
            };
            let ticket = cx.sign(key_id, message.clone());
            self.signing = Some(Signing { message, ticket });
            return Poll::Pending;
        };
        let signature = ready!(cx.take(ticket)).map_err(TransportError::before_sending)?;
        let signed = Some(Signed { message, signature: &signature });
        Poll::Ready(endpoint.request(Fresh { signed, ..cx.fresh_at(now) }))
    }

    /// Sends the request that [`poll`](Self::poll) returned, in the reserved place.
    pub fn send(
        self,
        request: Request<Body>,
        how: How,
        cx: &mut Cx<'_>,
    ) -> Ticket<Response<Bytes>> {
        cx.send(&self.place, request, how);
        self.place
    }
}

/// Machine that sends the request of an [`Endpoint`] once and ends in the parsed response.
#[derive(Debug)]
pub struct Fetch<E> {
    endpoint: E,
    steps: Steps<State>,
}

#[derive(Debug)]
enum State {
    New,
    Unsent(Draft),
    Sent(Ticket<Response<Bytes>>),
}

impl<E: Endpoint> Fetch<E> {
    /// A fetch of `endpoint`; the request is built and sent when its turn comes.
    pub fn new(endpoint: E) -> Self {
        Self { endpoint, steps: Steps::begin(State::New) }
    }
}

impl<E: Endpoint> Machine for Fetch<E> {
    type Output = E::Output;
    type Error = E::Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Self::Error>> {
        let Self { endpoint, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::New => Step::Next(State::Unsent(Draft::new(cx))),
                State::Unsent(mut draft) => match draft.poll(endpoint, |cx| cx.now(), cx) {
                    Poll::Pending => Step::Wait(State::Unsent(draft)),
                    Poll::Ready(request) => {
                        Step::Next(State::Sent(draft.send(request?, endpoint.how(), cx)))
                    }
                },
                State::Sent(ticket) => match cx.take(&ticket) {
                    Poll::Pending => Step::Wait(State::Sent(ticket)),
                    Poll::Ready(response) => Step::Done(endpoint.response(response?)?),
                },
            })
        })
    }
}
