//! Machines of one call or two.

use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{
    Body, Budget, Cx, Entropy, How, KeyError, Keys, Machine, SecretKey, Signer, Ticket,
    TransportError,
};
use bytes::Bytes;
use http::{Request, Response};

use crate::adapter::Outcome;

/// Sends one request.
pub struct Once {
    request: Option<Request<Body>>,
    how: How,
    ticket: Option<Ticket<Response<Bytes>>>,
}

impl Once {
    /// A machine that sends `request`.
    pub fn new(request: Request<Body>, how: How) -> Self {
        Self { request: Some(request), how, ticket: None }
    }
}

impl Machine for Once {
    type Output = Response<Bytes>;
    type Error = TransportError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Outcome> {
        if let Some(request) = self.request.take() {
            self.ticket = Some(cx.http(request, self.how));
        }
        cx.take(self.ticket.as_ref().unwrap())
    }

    fn budget(&self) -> Budget {
        ENDLESS
    }
}

/// Sends two requests, one after the other.
pub struct Twice {
    first: Once,
    second: Once,
    outcome: Option<Outcome>,
}

impl Twice {
    /// A machine that sends both.
    pub fn new(first: Once, second: Once) -> Self {
        Self { first, second, outcome: None }
    }
}

impl Machine for Twice {
    type Output = (Outcome, Outcome);
    type Error = TransportError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(Outcome, Outcome), TransportError>> {
        if self.outcome.is_none() {
            self.outcome = Some(ready!(self.first.poll(cx)));
        }
        let second = ready!(self.second.poll(cx));
        Poll::Ready(Ok((self.outcome.take().unwrap(), second)))
    }
}

/// Looks TXT records up.
pub struct Txt {
    name: &'static str,
    timeout: Duration,
    ticket: Option<Ticket<Vec<String>>>,
}

impl Txt {
    /// A machine that looks up `name`.
    pub fn new(name: &'static str, timeout: Duration) -> Self {
        Self { name, timeout, ticket: None }
    }
}

impl Machine for Txt {
    type Output = Vec<String>;
    type Error = TransportError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Vec<String>, TransportError>> {
        let ticket = self.ticket.get_or_insert_with(|| cx.txt(self.name.to_owned(), self.timeout));
        cx.take(ticket)
    }

    fn budget(&self) -> Budget {
        ENDLESS
    }
}

/// The keys of a system whose machines need none.
#[derive(Clone, Copy, Debug)]
pub struct NoKeys;

impl Keys for NoKeys {
    fn generate(&self, _: &mut dyn Entropy) -> Arc<dyn Signer> {
        unreachable!("no test makes a key")
    }

    fn import(&self, _: &SecretKey) -> Result<Arc<dyn Signer>, KeyError> {
        unreachable!("no test imports a key")
    }
}

/// The times of the calls are all that counts.
const ENDLESS: Budget = Budget::new(20, Duration::MAX);
