//! Runs machines to their end, with all their calls outstanding at once.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;

use atproto_sansio::{
    Call, Flow, How, HttpCall, Machine, Output, Reply, SharedCall, SignCall, SleepCall, System,
    TxtCall,
};

use crate::builder::DriverBuilder;
use crate::clients::Clients;
use crate::outstanding::{Answered, Outstanding, PendingCall, Performance};
use crate::shared::Shared;
use crate::sign::RemoteSigner;
use crate::streamed::StreamedBody;
use crate::streams::{AttachedBody, Streams};
use crate::{http_call, txt};

/// Runs machines to their end, with all their calls outstanding at once.
///
/// Clones are cheap; they share idle connections, the memory of the [`System`], and what is run
/// once for all. It is to be used within one tokio runtime, which its connections belong to.
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
}

/// What the calls of one run have in common.
#[derive(Default)]
struct Scope {
    streams: Streams,
    /// The keys of the shared runs that this one is part of.
    within: Vec<String>,
}

impl Driver {
    /// A driver with the usual settings, for the clock, memory and keys of `system`.
    pub fn new(system: System) -> Self {
        Self::builder(system).build()
    }

    /// Builds a driver with other settings.
    pub fn builder(system: System) -> DriverBuilder {
        DriverBuilder::new(system)
    }

    pub(crate) fn from_inner(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Runs `machine` to its end.
    ///
    /// Nothing happens until the future is polled. Dropping it drops the calls of the machine, and
    /// with them the answers to requests that are on their way; only what is shared runs on. Where
    /// such an answer matters, run the future in a task of its own.
    ///
    /// # Errors
    ///
    /// What the machine ends in.
    pub fn run<M: Machine + Send + 'static>(
        &self,
        machine: M,
    ) -> impl Future<Output = Result<M::Output, M::Error>> + Send + 'static + use<M> {
        self.clone().drive(machine, Arc::default())
    }

    /// Runs `machine`, whose request carries `body`.
    ///
    /// The body can be sent once. A second request that asks for it is answered with
    /// [`Phase::NotSent`](atproto_sansio::Phase::NotSent).
    ///
    /// # Errors
    ///
    /// What the machine ends in.
    pub fn run_with_body<M: Machine + Send + 'static>(
        &self,
        machine: M,
        body: AttachedBody,
    ) -> impl Future<Output = Result<M::Output, M::Error>> + Send + 'static + use<M> {
        let scope = Scope { streams: Streams::with_body(body), within: Vec::new() };
        self.clone().drive(machine, Arc::new(scope))
    }

    /// Runs `machine`, and hands out the body of the last reply that it asked to be streamed.
    ///
    /// There is none if no such request was answered with a status of 2xx. Reading it ends with
    /// an error if the body breaks off, and when the time of the call is over.
    ///
    /// # Errors
    ///
    /// What the machine ends in.
    pub fn run_streaming<M: Machine + Send + 'static>(
        &self,
        machine: M,
    ) -> impl Future<Output = Result<(M::Output, Option<StreamedBody>), M::Error>>
    + Send
    + 'static
    + use<M> {
        let scope: Arc<Scope> = Arc::default();
        let run = self.clone().drive(machine, Arc::clone(&scope));
        async move { Ok((run.await?, scope.streams.take_streamed())) }
    }

    /// Performs one call, for those who drive a flow by hand.
    ///
    /// There is no attached body, and a streamed reply is its head alone.
    pub fn perform(&self, call: Call) -> impl Future<Output = Reply> + Send + 'static + use<> {
        let mut performance = self.begin(call, &Arc::default());
        poll_fn(move |cx| performance.poll(cx))
    }

    /// Waits for all that is shared, however few still ask for it, and refuses to begin more.
    ///
    /// What is shared after this is answered with
    /// [`Phase::NotSent`](atproto_sansio::Phase::NotSent), unless it is already running or is
    /// asked for by what is. Nothing cuts the wait short but the times of the calls themselves.
    /// Other runs belong to their callers, and go on.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let this = self.clone();
        async move { this.inner.shared.close().await }
    }

    async fn drive<M: Machine>(self, machine: M, scope: Arc<Scope>) -> Result<M::Output, M::Error> {
        let mut flow = Flow::new(machine);
        let mut outstanding = Outstanding::default();
        loop {
            if let Some(result) = self.advance(&mut flow, &mut outstanding, &scope) {
                return result;
            }
            flow.handle_reply(outstanding.next_reply().await);
        }
    }

    /// Goes on until the flow waits or ends.
    fn advance<M: Machine>(
        &self,
        flow: &mut Flow<M>,
        outstanding: &mut Outstanding,
        scope: &Arc<Scope>,
    ) -> Option<Result<M::Output, M::Error>> {
        loop {
            match self.inner.system.poll(flow) {
                Output::Call(call) => outstanding.add(self.begin(call, scope)),
                Output::Wait => return None,
                Output::Done(result) => return Some(result),
            }
        }
    }

    /// Begins nothing yet: that happens when the performance is first polled.
    fn begin(&self, call: Call, scope: &Arc<Scope>) -> Box<dyn Performance> {
        match call {
            Call::Http(call) => self.http(call, Arc::clone(scope)),
            Call::Txt(TxtCall { name, timeout, respond }) => {
                let nameserver = self.inner.nameserver;
                let work = async move { txt::look_up(&name, timeout, nameserver).await };
                Box::new(PendingCall::new(respond, work))
            }
            Call::Sleep(SleepCall { duration, respond }) => {
                let work = async move {
                    tokio::time::sleep(duration).await;
                    Ok(())
                };
                Box::new(PendingCall::new(respond, work))
            }
            Call::Shared(call) => self.share(call, scope),
            Call::Sign(SignCall { key_id, message, respond }) => {
                Box::new(PendingCall::new(respond, self.inner.remote_signer.sign(key_id, message)))
            }
            call @ Call::Store(_) => Box::new(Answered::new(call.unsupported())),
        }
    }

    fn http(&self, call: HttpCall, scope: Arc<Scope>) -> Box<dyn Performance> {
        let HttpCall { request, timeout, start_by, answer, reach, respond } = call;
        let how = How { timeout, answer, reach, start_by };
        let inner = Arc::clone(&self.inner);
        let work =
            async move { http_call::perform(&inner.clients, request, how, &scope.streams).await };
        Box::new(PendingCall::new(respond, work))
    }

    fn share(&self, call: SharedCall, scope: &Arc<Scope>) -> Box<dyn Performance> {
        let SharedCall { key, machine, respond } = call;
        let (this, scope) = (self.clone(), Arc::clone(scope));
        let work = async move {
            let within = scope.within.iter().cloned().chain([key.clone()]).collect();
            let inner = Scope { streams: Streams::default(), within };
            let run = this.clone().drive(machine, Arc::new(inner));
            let run = async move {
                let Ok(()) = run.await;
            };
            this.inner.shared.ask(key, &scope.within, run).await
        };
        Box::new(PendingCall::new(respond, work))
    }
}

/// The usual settings, the clock and entropy of the operating system, and the keys of this crate.
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
