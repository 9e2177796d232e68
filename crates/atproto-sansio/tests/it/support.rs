//! A test driver with a fixed clock, counted entropy and no cache; endpoints and replies for tests.

use std::fmt::Debug;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{
    Answer, Body, Budget, Call, Cx, Endpoint, Entropy, Env, Fetch, Flow, Fresh, How, KeyError,
    Keys, Machine, Memo, Memory, Moment, Output, Phase, Reach, Reply, SecretKey, Signer,
    StoreOperation, System, Topic, TransportError, UnixTime, drive,
};
use bytes::Bytes;
use http::{Request, Response};

/// A flow with the environment that it is polled with. The clocks move only if a test sets
/// `now` or `elapsed`.
pub(crate) struct Driver<M: Machine> {
    pub(crate) flow: Flow<M>,
    /// Seconds since the epoch.
    pub(crate) now: u64,
    pub(crate) elapsed: Duration,
    entropy: Counter,
}

impl<M: Machine<Output: Debug, Error: Debug>> Driver<M> {
    pub(crate) fn new(machine: M) -> Self {
        Self {
            flow: Flow::new(machine),
            now: 1_700_000_000,
            elapsed: Duration::from_secs(1000),
            entropy: Counter(0),
        }
    }

    pub(crate) fn poll(&mut self) -> Output<M::Output, M::Error> {
        self.flow.poll_output(&mut Env {
            now: UnixTime::from_secs(self.now),
            elapsed: self.elapsed,
            entropy: &mut self.entropy,
            memory: &Forgetful,
            keys: &NoKeys,
        })
    }

    /// Polls once and returns the call. Panics if the output is not a call.
    pub(crate) fn call(&mut self) -> Call {
        let output = self.poll();
        let Output::Call(call) = output else { unreachable!("{output:?} in place of a call") };
        call
    }

    /// Polls until the flow waits, and returns all calls handed out.
    pub(crate) fn calls(&mut self) -> Vec<Call> {
        let mut calls = Vec::new();
        loop {
            match self.poll() {
                Output::Call(call) => calls.push(call),
                Output::Wait => return calls,
                Output::Done(result) => unreachable!("{result:?} in place of waiting"),
            }
        }
    }

    pub(crate) fn is_waiting(&mut self) -> bool {
        matches!(self.poll(), Output::Wait)
    }

    /// Polls once and returns the result. Panics if the flow has not ended.
    pub(crate) fn end(&mut self) -> Result<M::Output, M::Error> {
        let output = self.poll();
        let Output::Done(result) = output else { unreachable!("{output:?} in place of the end") };
        result
    }
}

/// Predictable entropy: each byte is one more than the byte before.
pub(crate) struct Counter(pub(crate) u8);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
    }
}

struct Forgetful;

impl Memory for Forgetful {
    fn get(&self, _: Topic, _: &str, _: Moment) -> Option<Bytes> {
        None
    }
    fn put(&self, _: Topic, _: &str, _: Memo, _: Moment) {}
    fn forget(&self, _: Topic, _: &str) {}
}

pub(crate) struct NoKeys;

impl Keys for NoKeys {
    fn generate(&self, _: &mut dyn Entropy) -> Arc<dyn Signer> {
        unreachable!("no machine of these tests has a key")
    }
    fn import(&self, _: &SecretKey, _: Option<&[u8; 64]>) -> Result<Arc<dyn Signer>, KeyError> {
        unreachable!("no machine of these tests has a key")
    }
}

/// `GET` of a path of `peer.example.net`. The output is the response body as text.
#[derive(Clone, Debug)]
pub(crate) struct Get(pub(crate) &'static str);

impl Endpoint for Get {
    type Output = String;
    type Error = TransportError;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, TransportError> {
        Ok(request(&format!("https://peer.example.net/{}", self.0)))
    }

    fn how(&self) -> How {
        how()
    }

    fn response(&self, response: Response<Bytes>) -> Result<String, TransportError> {
        Ok(text(&response))
    }
}

pub(crate) fn get(path: &'static str) -> Fetch<Get> {
    Fetch::new(Get(path))
}

/// A machine whose `poll` is a closure.
pub(crate) struct ByFn<F>(Budget, F);

pub(crate) fn by_fn<T, E, F>(poll: F) -> ByFn<F>
where
    F: FnMut(&mut Cx<'_>) -> Poll<Result<T, E>>,
{
    ByFn(Budget::default(), poll)
}

impl<F> ByFn<F> {
    pub(crate) fn within(self, budget: Budget) -> Self {
        Self(budget, self.1)
    }
}

impl<T, E, F: FnMut(&mut Cx<'_>) -> Poll<Result<T, E>>> Machine for ByFn<F> {
    type Output = T;
    type Error = E;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<T, E>> {
        (self.1)(cx)
    }

    fn budget(&self) -> Budget {
        self.0
    }
}

pub(crate) fn request(url: &str) -> Request<Body> {
    Request::get(url).body(Body::default()).expect("tests write good URLs")
}

pub(crate) fn how() -> How {
    How { answer: Answer::Buffered(64), ..How::buffered(0, Reach::Public) }
}

pub(crate) fn text(response: &Response<Bytes>) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}

pub(crate) fn ok(body: impl Into<Bytes>) -> Response<Bytes> {
    Response::new(body.into())
}

pub(crate) fn lost() -> TransportError {
    TransportError::new(Phase::MaybeSent, "the wire was cut")
}

/// The error of [`lost`] as a machine receives it: with the request to this path in front.
pub(crate) fn lost_at(path: &str) -> TransportError {
    let detail = format!("GET peer.example.net/{path}: the wire was cut");
    TransportError::new(Phase::MaybeSent, detail)
}

/// Short name of a call: its path, DNS name, key or kind.
pub(crate) fn name(call: &Call) -> String {
    match call {
        Call::Http(http) => http.request.uri().path().trim_start_matches('/').to_owned(),
        Call::Txt(txt) => txt.name.clone(),
        Call::Store(store) => match &store.operation {
            StoreOperation::Load { key, .. } => key.clone(),
            _ => "store".to_owned(),
        },
        Call::Sleep(_) => "sleep".to_owned(),
        Call::Shared(shared) => shared.key.name().to_owned(),
        Call::Sign(sign) => sign.key_id.clone(),
        Call::Notify(_) => "notify".to_owned(),
    }
}

pub(crate) fn names(calls: &[Call]) -> Vec<String> {
    calls.iter().map(name).collect()
}

/// A successful reply whose content is the [`name`] of the call.
pub(crate) fn echo(call: Call) -> Reply {
    let name = name(&call);
    match call {
        Call::Http(call) => call.respond.with(Ok(ok(name))),
        Call::Txt(call) => call.respond.with(Ok(vec![name])),
        Call::Store(store) => match store.operation {
            StoreOperation::Load { respond, .. } => respond.with(Ok(None)),
            StoreOperation::Save { respond, .. } => respond.with(Err(lost().into())),
            StoreOperation::Delete { respond, .. } => respond.with(Err(lost().into())),
            StoreOperation::List { respond, .. } => respond.with(Err(lost().into())),
        },
        Call::Sleep(call) => call.respond.with(Ok(())),
        Call::Shared(call) => {
            let Ok(result) = drive(&System::new(NoKeys), call.machine, echo);
            call.respond.with(Ok(result))
        }
        Call::Sign(_) => call.unsupported(),
        Call::Notify(call) => call.respond.with(Ok(())),
    }
}

/// All permutations of `0..count`.
pub(crate) fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |order: Vec<usize>| {
        (0..count).map(move |at| {
            let mut order = order.clone();
            order.insert(at, last);
            order
        })
    };
    orders(last).into_iter().flat_map(insert).collect()
}
