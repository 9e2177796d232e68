//! One request and the meaning of its response.

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

/// One request and the meaning of its response: the leaf of every machine.
///
/// The request is made anew on each attempt, so that a retry carries fresh identifiers and times.
pub trait Endpoint {
    /// What a good response means.
    type Output;
    /// What else can happen.
    type Error: From<TransportError>;

    /// Where the request goes, if that is known before it is made. A layer that knows the clock of
    /// that server can then give its time.
    fn url(&self) -> Option<&Url> {
        None
    }

    /// What a key that lives elsewhere must sign before the request can be made: nothing, unless
    /// the endpoint says so. The signature comes back in [`Fresh::signed`].
    ///
    /// # Errors
    ///
    /// The request can't be made.
    fn to_sign(&self, fresh: Fresh<'_>) -> Result<Option<ToSign>, Self::Error> {
        let _ = fresh;
        Ok(None)
    }

    /// The request, with what is `fresh` on this attempt.
    ///
    /// # Errors
    ///
    /// The request can't be made.
    fn request(&self, fresh: Fresh<'_>) -> Result<Request<Body>, Self::Error>;

    /// How the request is to be performed.
    fn how(&self) -> How;

    /// The meaning of the response.
    ///
    /// # Errors
    ///
    /// The response is a refusal, or not what the specification asks for.
    fn response(&self, response: Response<Bytes>) -> Result<Self::Output, Self::Error>;
}

/// What is fresh on each attempt.
#[non_exhaustive]
pub struct Fresh<'a> {
    /// Wall-clock time, as the server has it if that is known.
    pub now: UnixTime,
    /// A source of unpredictable bytes.
    pub entropy: &'a mut dyn Entropy,
    /// What the endpoint wanted to be signed, if it wanted that.
    pub signed: Option<Signed<'a>>,
}

/// A message and its signature by a key that lives elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// What was signed.
    pub message: &'a [u8],
    /// `r` and `s`, 32 bytes each.
    pub signature: &'a [u8; 64],
}

/// A message for a key that lives elsewhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ToSign {
    /// Which key.
    pub key_id: String,
    /// The message.
    pub message: Vec<u8>,
}

impl<'a> Fresh<'a> {
    /// The time `now`, and `entropy`.
    pub fn new(now: UnixTime, entropy: &'a mut dyn Entropy) -> Self {
        Self { now, entropy, signed: None }
    }
}

impl Cx<'_> {
    /// What is fresh, for an [`Endpoint`](crate::Endpoint) whose server has the time `now`.
    pub fn fresh_at(&mut self, now: UnixTime) -> Fresh<'_> {
        Fresh::new(now, self.entropy())
    }
}

/// Makes the request of an endpoint, with the signature that it may need: for the layers that send
/// it. One draft makes a request for each attempt.
#[derive(Debug, Default)]
pub struct Draft {
    signing: Option<(Vec<u8>, Ticket<[u8; 64]>)>,
}

impl Draft {
    /// The request, made at the server's time `now`.
    ///
    /// # Errors
    ///
    /// The request can't be made, or the key can't be reached.
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
            unreachable!("a signature was just asked for")
        };
        let signature = ready!(cx.take(ticket))?;
        let signed = Signed { message, signature: &signature };
        let request = endpoint.request(Fresh { signed: Some(signed), ..cx.fresh_at(now) });
        self.signing = None;
        Poll::Ready(request)
    }
}

/// Sends an endpoint's request once.
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
    /// A fetch that has not begun.
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
            // Where it stays if there can be no request.
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
