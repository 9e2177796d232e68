//! [`Endpoint`]: one HTTP request and the parser of its response. [`Fetch`] sends it once.

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
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The signed message, equal to [`ToSign::message`].
    pub message: &'a [u8],
    /// `r` and `s`, 32 bytes each.
    pub signature: &'a [u8; 64],
}

/// A message to be signed by a remote signer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ToSign {
    /// Id of the key, as the remote signer names it.
    pub key_id: String,
    /// The message, not hashed yet.
    pub message: Vec<u8>,
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

/// Builds the request of an [`Endpoint`], and first obtains a signature if the endpoint needs one.
/// Machines that send endpoints, such as [`Fetch`], use it; one draft serves all attempts.
#[derive(Debug, Default)]
pub struct Draft {
    signing: Option<(Vec<u8>, Ticket<[u8; 64]>)>,
}

impl Draft {
    /// Returns the request, built at the server's time `now`; `Pending` as long as the signature is
    /// outstanding.
    ///
    /// # Errors
    ///
    /// Fails if the request can't be built, or if the remote signer does not sign.
    pub fn poll<E: Endpoint>(
        &mut self,
        endpoint: &E,
        now: UnixTime,
        cx: &mut Cx<'_>,
    ) -> Poll<Result<Request<Body>, E::Error>> {
        if self.signing.is_none() {
            let Some(ToSign { key_id, message }) = endpoint.to_sign(cx.fresh_at(now))? else {
                return Poll::Ready(endpoint.request(cx.fresh_at(now)));
            };
            self.signing = Some((message.clone(), cx.sign(key_id, message)));
        }
        let Some((message, ticket)) = &self.signing else {
            unreachable!("`signing` was set above")
        };
        let signature = ready!(cx.take(ticket))?;
        let signed = Signed { message, signature: &signature };
        let request = endpoint.request(Fresh { signed: Some(signed), ..cx.fresh_at(now) });
        self.signing = None;
        Poll::Ready(request)
    }
}

/// Machine that sends the request of an [`Endpoint`] once and ends in the parsed response.
#[derive(Debug)]
pub struct Fetch<E> {
    endpoint: E,
    state: State,
}

#[derive(Debug)]
enum State {
    New(Draft),
    Asked(Ticket<Response<Bytes>>),
    Ended,
}

impl<E: Endpoint> Fetch<E> {
    /// A fetch of `endpoint`; the first poll builds and sends the request.
    pub fn new(endpoint: E) -> Self {
        Self { endpoint, state: State::New(Draft::default()) }
    }
}

impl<E: Endpoint> Machine for Fetch<E> {
    type Output = E::Output;
    type Error = E::Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Self::Error>> {
        if let State::New(draft) = &mut self.state {
            let request = ready!(draft.poll(&self.endpoint, cx.now(), cx));
            // If there is no request, the `?` below returns, and the fetch has ended.
            self.state = State::Ended;
            self.state = State::Asked(cx.http(request?, self.endpoint.how()));
        }
        let State::Asked(ticket) = &self.state else {
            unreachable!("a fetch is not polled after its end");
        };
        let response = ready!(cx.take(ticket));
        self.state = State::Ended;
        Poll::Ready(self.endpoint.response(response?))
    }
}
