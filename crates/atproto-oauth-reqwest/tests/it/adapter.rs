//! What a test asks of an adapter, and machines of one call each.

use std::sync::{Arc, LazyLock};
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_oauth_reqwest::{Driver, DriverBuilder};
use atproto_sansio::{
    Answer, Body, Budget, Cx, Entropy, How, KeyError, Keys, Machine, Reach, SecretKey, Signer,
    System, Ticket, TransportError,
};
use bytes::Bytes;
use http::{Request, Response};
use tokio::runtime::Runtime;

/// An adapter under test.
pub(crate) trait Adapter {
    /// Performs one HTTP call.
    fn send(&self, request: Request<Body>, how: How) -> Outcome;
}

pub(crate) type Outcome = Result<Response<Bytes>, TransportError>;

impl Adapter for Driver {
    fn send(&self, request: Request<Body>, how: How) -> Outcome {
        block_on(self.run(Once::new(request, how)))
    }
}

/// Sends one request.
pub(crate) struct Once {
    request: Option<Request<Body>>,
    how: How,
    ticket: Option<Ticket<Response<Bytes>>>,
}

impl Once {
    pub(crate) fn new(request: Request<Body>, how: How) -> Self {
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
pub(crate) struct Twice {
    pub(crate) first: Once,
    pub(crate) second: Once,
    pub(crate) outcome: Option<Outcome>,
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
pub(crate) struct Txt {
    pub(crate) name: &'static str,
    pub(crate) timeout: Duration,
    ticket: Option<Ticket<Vec<String>>>,
}

impl Txt {
    pub(crate) fn new(name: &'static str, timeout: Duration) -> Self {
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

/// Runs a future, and afterwards whatever it leaves behind.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    });
    RUNTIME.block_on(future)
}

pub(crate) fn builder() -> DriverBuilder {
    Driver::builder(System::new(NoKeys))
}

pub(crate) fn driver() -> Driver {
    builder().build()
}

/// Two seconds for at most 1000 bytes from a server that the operator named.
pub(crate) fn how() -> How {
    How {
        timeout: Duration::from_secs(2),
        answer: Answer::Buffered(1000),
        reach: Reach::Configured,
        start_by: None,
    }
}

pub(crate) fn get(url: String) -> Request<Body> {
    Request::get(url).body(Body::Bytes(Bytes::new())).unwrap()
}

pub(crate) fn post(url: String, body: &'static str) -> Request<Body> {
    Request::post(url).body(Body::Bytes(body.into())).unwrap()
}

pub(crate) struct NoKeys;

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
