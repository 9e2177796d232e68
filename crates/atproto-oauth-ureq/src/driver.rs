//! Runs machines to their end, one call at a time.

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::thread;

use atproto_sansio::{Call, Machine, Phase, Reply, SharedCall, System, TransportError, TxtCall};

use crate::agents::Agents;
use crate::builder::DriverBuilder;
use crate::nameservers::Nameservers;
use crate::shared::Shared;
use crate::sign::RemoteSigner;
use crate::streams::{AttachedBody, Streams};
use crate::{http_call, txt};

/// Runs machines to their end, one call at a time, in the thread that asks.
///
/// Clones are cheap; they share idle connections, the memory of the [`System`], and what is run
/// once for all.
#[derive(Clone)]
pub struct Driver {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) system: System,
    pub(crate) agents: Agents,
    pub(crate) nameservers: Nameservers,
    pub(crate) shared: Shared,
    pub(crate) remote_signer: RemoteSigner,
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
    /// Once a request is on its way nothing here can cancel it: the thread waits for the reply or
    /// for the end of the call's time, so an answer that matters is never thrown away.
    ///
    /// # Errors
    ///
    /// What the machine ends in.
    pub fn run<M: Machine>(&self, machine: M) -> Result<M::Output, M::Error> {
        self.drive(machine, &mut Streams::default())
    }

    /// Runs `machine`, whose request carries `body`.
    ///
    /// The body can be sent once. A second request that asks for it is answered with
    /// [`Phase::NotSent`].
    ///
    /// # Errors
    ///
    /// What the machine ends in.
    pub fn run_with_body<M: Machine>(
        &self,
        machine: M,
        body: AttachedBody<'_>,
    ) -> Result<M::Output, M::Error> {
        self.drive(machine, &mut Streams::with_body(body))
    }

    /// Runs `machine`, and hands out the body of the last reply that it asked to be streamed.
    ///
    /// There is none if no such request was answered with a status of 2xx. Reading it ends with
    /// an error if the body breaks off, and when the time of the call is over.
    ///
    /// # Errors
    ///
    /// What the machine ends in.
    #[expect(clippy::type_complexity, reason = "a name for it would say less")]
    pub fn run_streaming<M: Machine>(
        &self,
        machine: M,
    ) -> Result<(M::Output, Option<Box<dyn Read + Send>>), M::Error> {
        let mut streams = Streams::default();
        let output = self.drive(machine, &mut streams)?;
        Ok((output, streams.into_streamed()))
    }

    /// Performs one call, for those who drive a flow by hand.
    ///
    /// There is no attached body, and a streamed reply is its head alone.
    pub fn perform(&self, call: Call) -> Reply {
        self.answer(call, &mut Streams::default())
    }

    fn drive<M: Machine>(
        &self,
        machine: M,
        streams: &mut Streams<'_>,
    ) -> Result<M::Output, M::Error> {
        atproto_sansio::drive(&self.inner.system, machine, |call| self.answer(call, streams))
    }

    fn answer(&self, call: Call, streams: &mut Streams<'_>) -> Reply {
        match call {
            Call::Http(call) => http_call::perform(&self.inner.agents, call, streams),
            Call::Txt(call) => self.look_up(call),
            Call::Sleep(call) => {
                thread::sleep(call.duration);
                call.respond.with(Ok(()))
            }
            Call::Shared(call) => self.share(call),
            Call::Sign(call) => self.inner.remote_signer.perform(call),
            call @ Call::Store(_) => call.unsupported(),
        }
    }

    fn look_up(&self, call: TxtCall) -> Reply {
        let TxtCall { name, timeout, respond } = call;
        respond.with(match self.inner.nameservers.list() {
            Some(servers) => txt::look_up(&name, timeout, &servers),
            None => Err(TransportError::new(
                Phase::Unsupported,
                "the nameservers of this system are not known",
            )),
        })
    }

    fn share(&self, call: SharedCall) -> Reply {
        let SharedCall { key, machine, respond } = call;
        respond.with(self.inner.shared.run(key, || {
            let Ok(()) = self.drive(machine, &mut Streams::default());
        }))
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
