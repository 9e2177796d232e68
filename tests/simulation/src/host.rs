//! The processes of a simulation, and the machines that run in them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_oauth_core::{
    FinishLoginError, FinishedLogin, LoggedOut, Session, SessionKey, SessionReply, SessionsError,
};
use atproto_oauth_sandbox::Process;
use atproto_sansio::{
    Budget, Cx, Flow, Machine, Respond, SharedKey, SharedMachine, SharedResult, UnixTime,
};

/// A process: its memory and clock, and what it has at hand.
pub(crate) struct Host {
    pub(crate) process: Process,
    /// Number of restarts. Replies to an earlier life are lost.
    pub(crate) life: u32,
    pub(crate) paused_until: UnixTime,
    /// Time that neither of its clocks has noticed.
    pub(crate) unnoticed: Duration,
    pub(crate) at_hand: BTreeMap<SessionKey, Arc<Session>>,
}

/// A machine in a process.
pub(crate) struct Running {
    pub(crate) host: usize,
    pub(crate) life: u32,
    /// `None` after its end.
    pub(crate) flow: Option<Flow<Task>>,
    /// Key of a shared machine.
    pub(crate) key: Option<SharedKey>,
    pub(crate) askers: Vec<(usize, Respond<SharedResult>)>,
}

/// The result of a machine.
pub(crate) enum End {
    Shared(SharedResult),
    Restored(SessionKey, Result<Arc<Session>, SessionsError>),
    Answered(SessionKey, Result<SessionReply, SessionsError>),
    LoggedOut(SessionKey, Result<LoggedOut, SessionsError>),
    LoggedIn { login: usize, result: Result<FinishedLogin, FinishLoginError> },
}

pub(crate) type Task = Box<dyn Machine<Output = End, Error = Infallible>>;

/// A machine whose result becomes an [`End`].
struct Ending<M, F> {
    machine: M,
    end: Option<F>,
}

impl<M: Machine, F: FnOnce(Result<M::Output, M::Error>) -> End> Machine for Ending<M, F> {
    type Output = End;
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<End, Infallible>> {
        let end = &mut self.end;
        self.machine.poll(cx).map(|result| {
            let end = end.take().expect("a machine is not polled after its end");
            Ok(end(result))
        })
    }

    fn budget(&self) -> Budget {
        self.machine.budget()
    }
}

/// Boxes a machine.
pub(crate) fn task<M: Machine + 'static>(
    machine: M,
    end: impl FnOnce(Result<M::Output, M::Error>) -> End + 'static,
) -> Task {
    Box::new(Ending { machine, end: Some(end) })
}

/// Boxes a shared machine.
pub(crate) fn shared(machine: SharedMachine) -> Task {
    task(machine, |result| match result {
        Ok(result) => End::Shared(result),
    })
}

impl Host {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            process: Process::new(seed),
            life: 0,
            paused_until: UnixTime::default(),
            unnoticed: Duration::ZERO,
            at_hand: BTreeMap::new(),
        }
    }
}
