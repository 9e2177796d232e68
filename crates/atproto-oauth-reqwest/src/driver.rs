//! [`Driver`]: runs a machine to its end, and performs its calls concurrently.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use atproto_sansio::{
    Call, Flow, How, HttpCall, Machine, Output, Reply, SharedCall, SharedKey, SignCall, SleepCall,
    System, TxtCall,
};

use crate::builder::DriverBuilder;
use crate::clients::Clients;
use crate::notices::Notices;
use crate::outstanding::{Outstanding, Performance};
use crate::shared::Shared;
use crate::sign::RemoteSigner;
use crate::stores::Stores;
use crate::streamed::StreamedBody;
use crate::streams::{AttachedBody, Streams};
use crate::{http_call, txt};

/// Runs machines to their end: performs all outstanding calls of a machine concurrently.
///
/// Clones are cheap. They share idle connections, the memory of the [`System`], and running shared
/// calls ([`Call::Shared`]). Use a driver and its clones within one tokio runtime, because
/// connections belong to the runtime in which they were made.
#[derive(Clone)]
pub struct Driver {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) system: System,
    pub(crate) clients: Clients,
    pub(crate) nameserver: Option<SocketAddr>,
    pub(crate) shared: Shared,
    pub(crate) remote_signer: RemoteSigner,
    pub(crate) notices: Notices,
    pub(crate) stores: Stores,
}

/// State that the calls of one run share.
#[derive(Default)]
struct Scope {
    streams: Streams,
    /// The shared run that this run is, if any.
    within: Option<SharedKey>,
}

impl Driver {
    /// Creates a driver with the default settings and the clock, memory and keys of `system`.
    pub fn new(system: System) -> Self {
        Self::builder(system).build()
    }

    /// Returns a builder for a driver with other settings.
    pub fn builder(system: System) -> DriverBuilder {
        DriverBuilder::new(system)
    }

    pub(crate) fn from_inner(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Runs `machine` to its end, and returns its output.
    ///
    /// The run begins when the future is first polled. If the future is dropped, the calls of
    /// `machine` are cancelled, and the replies to requests in flight are lost; only shared calls
    /// continue. If such a reply must not be lost, spawn the future as a task.
    ///
    /// # Errors
    ///
    /// Fails with the error of `machine`.
    pub fn run<M: Machine + Send + 'static>(
        &self,
        machine: M,
    ) -> impl Future<Output = Result<M::Output, M::Error>> + Send + 'static + use<M> {
        self.clone().drive(machine, Scope::default())
    }

    /// Runs `machine`, or fails with the error for which there is no machine.
    pub(crate) fn run_if<M>(
        &self,
        machine: Result<M, M::Error>,
    ) -> impl Future<Output = Result<M::Output, M::Error>> + Send + 'static + use<M>
    where
        M: Machine<Error: Send + 'static> + Send + 'static,
    {
        let (this, mut flow) = (self.clone(), machine.map(Flow::new));
        async move {
            match flow {
                Ok(ref mut flow) => this.perform_all(flow, &Scope::default()).await,
                Err(error) => Err(error),
            }
        }
    }

    /// Runs `machine`, and sends `body` as the body of its request with
    /// [`Body::Attached`](atproto_sansio::Body::Attached).
    ///
    /// The body is single-use: a second request with `Body::Attached` fails with
    /// [`Phase::NotSent`](atproto_sansio::Phase::NotSent).
    ///
    /// # Errors
    ///
    /// Fails with the error of `machine`.
    pub fn run_with_body<M: Machine + Send + 'static>(
        &self,
        machine: M,
        body: AttachedBody,
    ) -> impl Future<Output = Result<M::Output, M::Error>> + Send + 'static + use<M> {
        let scope = Scope { streams: Streams::with_body(body), within: None };
        self.clone().drive(machine, scope)
    }

    /// Runs `machine`, and returns the body of its last streamed reply unread.
    ///
    /// The body is `None` if no streamed reply had a 2xx status. Reading the body fails if the
    /// connection breaks off, or if the call times out.
    ///
    /// # Errors
    ///
    /// Fails with the error of `machine`.
    pub fn run_streaming<M: Machine + Send + 'static>(
        &self,
        machine: M,
    ) -> impl Future<Output = Result<(M::Output, Option<StreamedBody>), M::Error>>
    + Send
    + 'static
    + use<M> {
        let (this, mut flow) = (self.clone(), Flow::new(machine));
        async move {
            let scope = Scope::default();
            let output = this.perform_all(&mut flow, &scope).await?;
            Ok((output, scope.streams.take_streamed()))
        }
    }

    /// Performs one call, for a caller that drives a [`Flow`](atproto_sansio::Flow) by hand.
    ///
    /// A request with [`Body::Attached`](atproto_sansio::Body::Attached) fails with `NotSent`, and
    /// the body of a streamed reply is discarded. The call begins when the future is first polled.
    pub fn perform(&self, call: Call) -> impl Future<Output = Reply> + Send + 'static + use<> {
        let this = self.clone();
        async move {
            let scope = Scope::default();
            this.begin(call, &scope).reply.await
        }
    }

    /// Waits until all running shared calls have ended, even those without a caller left.
    ///
    /// New shared calls fail with [`Phase::NotSent`](atproto_sansio::Phase::NotSent), except those
    /// that running shared calls need. The wait has no timeout of its own, because the budget of
    /// each shared machine limits its time: a run that tries to save tokens goes on for up to an
    /// hour. Runs that are not shared continue.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let this = self.clone();
        async move { this.inner.shared.close().await }
    }

    /// Waits as [`shutdown`](Self::shutdown) does, for at most `timeout`. Returns whether all shared
    /// calls have ended.
    pub fn shutdown_within(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = bool> + Send + 'static + use<> {
        let shutdown = self.shutdown();
        async move { tokio::time::timeout(timeout, shutdown).await.is_ok() }
    }

    /// Runs `machine`. The future is little larger than its flow, because it moves when a program awaits it: an
    /// `async fn` would hold the machine once more.
    fn drive<M: Machine + Send + 'static>(
        self,
        machine: M,
        scope: Scope,
    ) -> impl Future<Output = Result<M::Output, M::Error>> + Send + 'static + use<M> {
        let mut flow = Flow::new(machine);
        async move { self.perform_all(&mut flow, &scope).await }
    }

    /// Performs the calls of `flow` until it ends.
    async fn perform_all<M: Machine>(
        &self,
        flow: &mut Flow<M>,
        scope: &Scope,
    ) -> Result<M::Output, M::Error> {
        let mut outstanding = Outstanding::default();
        loop {
            if let Some(result) = self.advance(flow, &mut outstanding, scope) {
                return result;
            }
            flow.handle_reply(outstanding.next_reply().await);
        }
    }

    /// Polls the flow, and begins its calls, until it waits for a reply or ends.
    fn advance<'a, M: Machine>(
        &'a self,
        flow: &mut Flow<M>,
        outstanding: &mut Outstanding<'a>,
        scope: &'a Scope,
    ) -> Option<Result<M::Output, M::Error>> {
        loop {
            match self.inner.system.poll(flow) {
                Output::Call(call) => outstanding.add(self.begin(call, scope)),
                Output::Wait => return None,
                Output::Done(result) => return Some(result),
            }
        }
    }

    /// Returns the performance of `call`. The work begins when the performance is first polled.
    fn begin<'a>(&'a self, call: Call, scope: &'a Scope) -> Performance<'a> {
        match call {
            Call::Http(call) => self.http(call, scope),
            Call::Txt(TxtCall { name, timeout, respond }) => {
                let nameserver = self.inner.nameserver;
                let work = async move { txt::look_up(&name, timeout, nameserver).await };
                Performance::of(respond, work)
            }
            Call::Sleep(SleepCall { duration, respond }) => {
                let work = async move {
                    tokio::time::sleep(duration).await;
                    Ok(())
                };
                Performance::of(respond, work)
            }
            Call::Shared(call) => self.share(call, scope),
            Call::Sign(SignCall { key_id, message, timeout, respond }) => {
                let work = self.inner.remote_signer.sign(key_id, message, timeout);
                Performance::of(respond, work)
            }
            Call::Notify(call) => Performance::answered(self.inner.notices.perform(call)),
            Call::Store(call) => Performance::to_its_end(self.inner.stores.perform(call)),
        }
    }

    fn http<'a>(&'a self, call: HttpCall, scope: &'a Scope) -> Performance<'a> {
        let HttpCall { request, timeout, start_by, least_time, answer, reach, respond } = call;
        let how = How { timeout, answer, reach, start_by, least_time };
        // `Performance::of` would hold the request twice.
        Performance::wanted(respond.interest(), async move {
            let clients = &self.inner.clients;
            respond.with(http_call::perform(clients, request, how, &scope.streams).await)
        })
    }

    fn share<'a>(&'a self, call: SharedCall, scope: &Scope) -> Performance<'a> {
        let SharedCall { key, machine, timeout, is_detached, respond } = call;
        let (this, asker) = (self.clone(), scope.within.clone());
        let work = async move {
            let inner = Scope { streams: Streams::default(), within: Some(key.clone()) };
            let run = this.clone().drive(machine, inner);
            let run = async move {
                let Ok(result) = run.await;
                result
            };
            if is_detached {
                return this.inner.shared.detach(key, asker, run);
            }
            this.inner.shared.ask(key, asker, timeout, run).await
        };
        Performance::of(respond, work)
    }
}

/// The default settings, the clock and entropy of the operating system, and keys of
/// [`RingKeys`](crate::RingKeys).
impl Default for Driver {
    fn default() -> Self {
        DriverBuilder::default().build()
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}
