//! Machines of one or two calls, and the keys of a system for them.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{
    Body, Budget, Cx, Entropy, How, KeyError, Keys, Machine, SecretKey, SharedTicket, Signer,
    Ticket, TransportError,
};
use bytes::Bytes;
use http::{Request, Response};

use crate::adapter::Outcome;

/// A machine that sends one request, and ends in its reply.
pub struct Once {
    request: Option<Request<Body>>,
    how: How,
    ticket: Option<Ticket<Response<Bytes>>>,
}

impl Once {
    /// Creates a machine that sends `request` as `how` says.
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

/// A machine that ends in the public point of a new key.
pub struct NewKey;

impl Machine for NewKey {
    type Output = [u8; 64];
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<[u8; 64], Infallible>> {
        Poll::Ready(Ok(*cx.generate_key().public()))
    }
}

/// A machine that sends two requests, one after the other, and ends in both outcomes.
pub struct Twice {
    first: Once,
    second: Once,
    outcome: Option<Outcome>,
}

impl Twice {
    /// Creates a machine that runs `first`, then `second`.
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

/// A machine that looks up the TXT records of one name.
pub struct Txt {
    name: &'static str,
    timeout: Duration,
    ticket: Option<Ticket<Vec<String>>>,
}

impl Txt {
    /// Creates a machine that looks up `name`, an absolute name without the final dot.
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

/// A machine that begins another one in the background, and ends at once. The other one sets a flag after
/// 100 ms.
pub struct Detaches {
    flag: Arc<AtomicBool>,
    begun: Option<SharedTicket<()>>,
}

/// The machine in the background.
struct SetsFlag(Arc<AtomicBool>, Option<Ticket<()>>);

impl Detaches {
    /// Creates a machine whose companion in the background sets `flag`.
    pub fn new(flag: &Arc<AtomicBool>) -> Self {
        Self { flag: Arc::clone(flag), begun: None }
    }
}

impl Machine for Detaches {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let Self { flag, begun } = self;
        let begin = || cx.detach("flag".to_owned(), SetsFlag(Arc::clone(flag), None));
        let begun = begun.get_or_insert_with(begin);
        ready!(cx.take_shared(begun)).unwrap();
        Poll::Ready(Ok(()))
    }
}

impl Machine for SetsFlag {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let pause = self.1.get_or_insert_with(|| cx.sleep(Duration::from_millis(100)));
        ready!(cx.take(pause)).unwrap();
        self.0.store(true, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }
}

/// [`Keys`] for machines that sign nothing. Both methods panic.
#[derive(Clone, Copy, Debug)]
pub struct NoKeys;

impl Keys for NoKeys {
    fn generate(&self, _: &mut dyn Entropy) -> Arc<dyn Signer> {
        unreachable!("no test makes a key")
    }

    fn import(&self, _: &SecretKey, _: Option<&[u8; 64]>) -> Result<Arc<dyn Signer>, KeyError> {
        unreachable!("no test imports a key")
    }
}

/// A budget without a time limit, so that only the timeouts of the calls apply.
const ENDLESS: Budget = Budget::new(20, Duration::MAX);
