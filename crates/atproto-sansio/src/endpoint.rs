//! One request and the meaning of its response.

use std::task::{Poll, ready};

use bytes::Bytes;
use http::{Request, Response};

use crate::call::Body;
use crate::cx::{Cx, Fresh, How, Ticket};
use crate::error::TransportError;
use crate::machine::Machine;

/// One request and the meaning of its response: the leaf of every machine.
///
/// The request is made anew on each attempt, so that a retry carries fresh identifiers and times.
pub trait Endpoint {
    /// What a good response means.
    type Output;
    /// What else can happen.
    type Error: From<TransportError>;

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

/// Sends an endpoint's request once.
#[derive(Debug)]
pub struct Fetch<E> {
    endpoint: E,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    Asked(Ticket<Response<Bytes>>),
    Ended,
}

impl<E: Endpoint> Fetch<E> {
    /// A fetch that has not begun.
    pub fn new(endpoint: E) -> Self {
        Self { endpoint, state: State::New }
    }
}

impl<E: Endpoint> Machine for Fetch<E> {
    type Output = E::Output;
    type Error = E::Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Self::Error>> {
        if let State::New = self.state {
            // Where it stays if there can be no request.
            self.state = State::Ended;
            let request = self.endpoint.request(cx.fresh())?;
            self.state = State::Asked(cx.http(request, self.endpoint.how()));
        }
        let State::Asked(ticket) = &self.state else {
            unreachable!("a fetch is not polled after its end");
        };
        let response = ready!(cx.take(ticket));
        self.state = State::Ended;
        Poll::Ready(self.endpoint.response(response?))
    }
}
