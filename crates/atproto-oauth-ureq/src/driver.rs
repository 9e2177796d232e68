//! [`Driver`]: runs a machine to its end, and performs its calls.
//!
//! The HTTP calls of a machine that are outstanding at the same time are performed beside each
//! other. All other calls are performed in the caller's thread, one after another, and before the
//! calls behind them in the queue are taken: if DNS knows a handle, its host is never asked.

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use atproto_sansio::{
    Answer, Body, Call, Flow, HttpCall, Machine, Output, Phase, Reply, SharedCall, SharedKey,
    SharedMachine, SharedResult, System, TransportError, TxtCall, dns,
};

use crate::agents::Agents;
use crate::builder::DriverBuilder;
use crate::notices::Notices;
use crate::outstanding::Outstanding;
use crate::shared::Shared;
use crate::sign::RemoteSigner;
use crate::stores::Stores;
use crate::streams::{AttachedBody, Streams};
use crate::workers::Workers;
use crate::{http_call, txt};

/// Runs machines to their end, in the caller's thread.
///
/// If a machine waits for several HTTP calls at once, each has a thread of its own for as long as it
/// takes; a single one is performed in the caller's thread. Clones are cheap. They share idle connections,
/// idle threads, the memory of the [`System`], and running shared calls ([`Call::Shared`]).
#[derive(Clone)]
pub struct Driver {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) system: System,
    pub(crate) agents: Agents,
    pub(crate) nameserver: Option<SocketAddr>,
    pub(crate) shared: Shared,
    pub(crate) remote_signer: RemoteSigner,
    pub(crate) notices: Notices,
    pub(crate) stores: Stores,
    pub(crate) workers: Workers,
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
    /// A request in flight cannot be cancelled. If the machine no longer waits for its reply, the
    /// run goes on, and the request ends in its own thread.
    ///
    /// # Errors
    ///
    /// Fails with the error of `machine`.
    pub fn run<M: Machine>(&self, machine: M) -> Result<M::Output, M::Error> {
        self.drive(machine, &mut Streams::default(), None)
    }

    /// Runs `machine`, and sends `body` as the body of its request with
    /// [`Body::Attached`](atproto_sansio::Body::Attached).
    ///
    /// The body is single-use: a second request with `Body::Attached` fails with
    /// [`Phase::NotSent`].
    ///
    /// # Errors
    ///
    /// Fails with the error of `machine`.
    pub fn run_with_body<M: Machine>(
        &self,
        machine: M,
        body: AttachedBody<'_>,
    ) -> Result<M::Output, M::Error> {
        self.drive(machine, &mut Streams::with_body(body), None)
    }

    /// Runs `machine`, and returns the body of its last streamed reply unread.
    ///
    /// The body is `None` if no streamed reply had a 2xx status. Reading the body fails if the
    /// connection breaks off, or if the call times out.
    ///
    /// # Errors
    ///
    /// Fails with the error of `machine`.
    #[expect(clippy::type_complexity, reason = "an alias would hide the reader")]
    pub fn run_streaming<M: Machine>(
        &self,
        machine: M,
    ) -> Result<(M::Output, Option<Box<dyn Read + Send>>), M::Error> {
        let mut streams = Streams::default();
        let output = self.drive(machine, &mut streams, None)?;
        Ok((output, streams.into_streamed()))
    }

    /// Performs one call, for a caller that drives a [`Flow`](atproto_sansio::Flow) by hand.
    ///
    /// A request with [`Body::Attached`](atproto_sansio::Body::Attached) fails with `NotSent`, and
    /// the body of a streamed reply is discarded.
    pub fn perform(&self, call: Call) -> Reply {
        self.answer(call, &mut Streams::default(), None)
    }

    /// Runs `machine`; `within` is the shared run that it belongs to, if any.
    fn drive<M: Machine>(
        &self,
        machine: M,
        streams: &mut Streams<'_>,
        within: Option<&SharedKey>,
    ) -> Result<M::Output, M::Error> {
        let mut flow = Flow::new(machine);
        let mut outstanding = Outstanding::new(&self.inner);
        loop {
            match self.inner.system.poll(&mut flow) {
                Output::Call(Call::Http(call)) if !is_streamed(&call) => outstanding.add(call),
                Output::Call(Call::Sleep(call)) => outstanding.pause(call),
                Output::Call(call) => {
                    // A call that is outstanding must not wait for this one.
                    outstanding.begin();
                    flow.handle_reply(self.answer(call, streams, within));
                }
                Output::Wait => {
                    if let Some(reply) = outstanding.next_reply() {
                        flow.handle_reply(reply);
                    }
                }
                Output::Done(result) => return result,
            }
        }
    }

    fn answer(&self, call: Call, streams: &mut Streams<'_>, within: Option<&SharedKey>) -> Reply {
        match call {
            Call::Http(call) => http_call::perform(&self.inner.agents, call, streams),
            Call::Txt(call) => self.look_up(call),
            Call::Sleep(call) => {
                thread::sleep(call.duration);
                call.respond.with(Ok(()))
            }
            Call::Shared(call) => self.share(call, within),
            Call::Sign(call) => self.inner.remote_signer.perform(call, &self.inner.workers),
            Call::Notify(call) => self.inner.notices.perform(call),
            Call::Store(call) => self.inner.stores.perform(call, &self.inner.workers),
        }
    }

    fn look_up(&self, call: TxtCall) -> Reply {
        let TxtCall { name, timeout, respond } = call;
        let servers = dns::nameservers(self.inner.nameserver);
        respond.with(servers.and_then(|servers| txt::look_up(&name, timeout, &servers)))
    }

    fn share(&self, call: SharedCall, within: Option<&SharedKey>) -> Reply {
        let SharedCall { key, machine, timeout, is_detached, respond } = call;
        if is_detached {
            return respond.with(self.detach(key, machine));
        }
        respond.with(self.inner.shared.run(&key, within, timeout, || {
            let Ok(result) = self.drive(machine, &mut Streams::default(), Some(&key));
            result
        }))
    }

    /// Begins a run in a thread of its own.
    fn detach(
        &self,
        key: SharedKey,
        machine: SharedMachine,
    ) -> Result<SharedResult, TransportError> {
        let this = Background::new(self);
        let run = move || {
            let this = &this.0;
            // If the run is in progress already, this one is not needed.
            let _ = this.inner.shared.run(&key, None, Duration::ZERO, || {
                let Ok(result) = this.drive(machine, &mut Streams::default(), Some(&key));
                result
            });
        };
        // If the thread can't be started, `run` is dropped, and `this` with it.
        let thread = thread::Builder::new().name("background run".to_owned()).spawn(run);
        thread.map(|_| SharedResult::begun()).map_err(|error| {
            TransportError::new(Phase::NotSent, format!("no thread for a background run: {error}"))
        })
    }

    /// Waits until all shared runs have ended, those in the background too.
    ///
    /// A program that ends earlier may lose the tokens of a refresh that is in progress in another
    /// thread. The wait has no timeout of its own, because the budget of each run limits its time: a
    /// run that tries to save tokens goes on for up to an hour.
    pub fn shutdown(&self) {
        self.inner.shared.wait_for_all(Duration::MAX);
    }

    /// Waits as [`shutdown`](Self::shutdown) does, for at most `timeout`. Returns whether all runs have
    /// ended.
    pub fn shutdown_within(&self, timeout: Duration) -> bool {
        self.inner.shared.wait_for_all(timeout)
    }
}

/// The driver of a thread in the background, which [`Driver::shutdown`] waits for.
struct Background(Driver);

impl Background {
    fn new(driver: &Driver) -> Self {
        driver.inner.shared.thread_begins();
        Self(driver.clone())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.inner.shared.thread_ended();
    }
}

/// Whether a body of the call is held by the run, so that only the run's own thread can perform it.
fn is_streamed(call: &HttpCall) -> bool {
    matches!(call.request.body(), Body::Attached) || matches!(call.answer, Answer::Streamed { .. })
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
