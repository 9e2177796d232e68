//! Logs a stored session out: closes its record, revokes its tokens, and deletes the record.
//!
//! ```text
//! Load ──▶ Close ──▶ Revoke ──▶ Delete ──▶ Tell ──▶ LoggedOut
//!   ▲        │
//!   └────────┘ conflict
//! ```
//!
//! The record is closed before the tokens are revoked, so that a refresh in another process can't
//! bring the session back: it finds the closed record, and revokes its new tokens. A sweep finishes
//! what a crash has left.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{
    Budget, Cx, Deleted, Expect, Machine, Record, Saved, SharedTicket, Step, Steps, Ticket,
};

use crate::error::Error;
use crate::session::revoke::{self, Revocation, Revoke};
use crate::sessions::back_off::Failures;
use crate::sessions::error::SessionsError;
use crate::sessions::event::SessionChange;
use crate::sessions::key::SessionKey;
use crate::sessions::policy::Managed;
use crate::sessions::record::{Loaded, SessionRecord};
use crate::sessions::refresh::unsaved;
use crate::sessions::tell::Tell;

/// Logs a stored session out, at the server and in the store.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct LogOut {
    managed: Managed,
    key: SessionKey,
    steps: Steps<Option<SharedTicket<LogOutResult>>>,
}

/// A session that was logged out: its record is deleted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoggedOut {
    /// Result of the revocation: after an error, the tokens stay valid until they expire. `None` if
    /// the store had no such session.
    pub revocation: Option<Result<Revocation, Error>>,
}

type LogOutResult = Result<LoggedOut, SessionsError>;

/// The shared machine.
pub(crate) struct LogOutRun {
    out: Out,
    steps: Steps<State>,
}

/// A [`LogOutRun`] in the background, whose result only its events tell.
pub(crate) struct Unheard(LogOutRun);

struct Out {
    managed: Managed,
    key: SessionKey,
    failures: Failures,
    /// Failure of the store to close the record. The tokens are revoked all the same.
    not_closed: Option<Error>,
}

enum State {
    Load,
    Loading(Ticket<Option<Record>>),
    Pause(Ticket<()>),
    Closing { record: Box<SessionRecord>, save: Ticket<Saved> },
    Revoke { revoke: Box<Revoke>, deadline: Duration },
    Delete { revocation: Result<Revocation, Error>, delete: Ticket<Deleted> },
    Tell { revocation: Result<Revocation, Error>, tell: Tell },
}

/// Time for which a closed record is kept.
pub(crate) const CLOSED: Duration = Duration::from_secs(24 * 60 * 60);

impl LogOut {
    pub(crate) fn new(managed: Managed, key: SessionKey) -> Self {
        Self { managed, key, steps: Steps::begin(None) }
    }
}

impl Machine for LogOut {
    type Output = LoggedOut;
    type Error = SessionsError;

    fn budget(&self) -> Budget {
        Budget::new(0, Duration::from_secs(90))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<LogOutResult> {
        let Self { managed, key, steps } = self;
        steps.run(|asked| {
            let asked = asked.unwrap_or_else(|| {
                let run = LogOutRun::new(managed.clone(), key.clone());
                cx.shared(LogOutRun::name(managed, key), run)
            });
            Ok(match cx.take_shared(&asked) {
                Poll::Pending => Step::Wait(Some(asked)),
                Poll::Ready(result) => Step::Done(result.map_err(Error::from)??),
            })
        })
    }
}

impl LogOutRun {
    pub(crate) fn new(managed: Managed, key: SessionKey) -> Self {
        let out = Out { managed, key, failures: Failures::default(), not_closed: None };
        Self { out, steps: Steps::begin(State::Load) }
    }

    /// Name of the run that serves all askers for this session.
    pub(crate) fn name(managed: &Managed, key: &SessionKey) -> String {
        format!("{} {}", managed.config.client_id, key.record())
    }

    /// The same run, whose result nobody takes.
    pub(crate) fn unheard(self) -> Unheard {
        Unheard(self)
    }
}

impl Machine for LogOutRun {
    type Output = LogOutResult;
    type Error = Infallible;

    fn budget(&self) -> Budget {
        Budget::new(12, Duration::from_secs(75))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<LogOutResult, Infallible>> {
        let Self { out, steps } = self;
        steps.run(|state| out.step(state, cx)).map(Ok)
    }
}

impl Machine for Unheard {
    type Output = ();
    type Error = Infallible;

    fn budget(&self) -> Budget {
        self.0.budget()
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll(cx).map_ok(drop)
    }
}

impl Out {
    fn step(
        &mut self,
        state: State,
        cx: &mut Cx<'_>,
    ) -> Result<Step<State, LoggedOut>, SessionsError> {
        Ok(match state {
            State::Load => Step::Next(State::Loading(cx.load(self.key.record()))),
            State::Loading(load) => match cx.take(&load) {
                Poll::Pending => Step::Wait(State::Loading(load)),
                Poll::Ready(Ok(None)) => Step::Done(LoggedOut { revocation: None }),
                Poll::Ready(Ok(Some(record))) => {
                    let client_id = &self.managed.config.client_id;
                    Step::Next(self.close(Loaded::read(&record, &self.key, client_id)?, cx)?)
                }
                Poll::Ready(Err(error)) => match self.failures.bear(error.is_transient(), cx) {
                    Some(pause) => Step::Next(State::Pause(pause)),
                    None => return Err(error.into()),
                },
            },
            State::Pause(pause) => match cx.take(&pause) {
                Poll::Pending => Step::Wait(State::Pause(pause)),
                Poll::Ready(paused) => {
                    paused.map_err(Error::from)?;
                    Step::Next(State::Load)
                }
            },
            State::Closing { record, save } => match cx.take(&save) {
                Poll::Pending => Step::Wait(State::Closing { record, save }),
                Poll::Ready(Ok(Saved::As(_))) => Step::Next(self.revoke(&record, cx)),
                Poll::Ready(Ok(Saved::Conflict)) => Step::Next(State::Load),
                Poll::Ready(Err(error)) => match self.failures.bear(error.is_transient(), cx) {
                    Some(pause) => Step::Next(State::Pause(pause)),
                    None => {
                        self.not_closed = Some(error.into());
                        Step::Next(self.revoke(&record, cx))
                    }
                },
            },
            State::Revoke { mut revoke, deadline } => {
                match cx.extend_until(deadline, |cx| revoke.poll(cx)) {
                    Poll::Pending => Step::Wait(State::Revoke { revoke, deadline }),
                    Poll::Ready(revocation) => {
                        unsaved::forget(&self.key, cx);
                        let deadline = cx.elapsed().saturating_add(DELETING);
                        let key = self.key.record();
                        // Over a closed record nobody writes, and nobody uses its key again.
                        let delete = cx.extend_until(deadline, |cx| cx.delete(key, Expect::Any));
                        Step::Next(State::Delete { revocation, delete })
                    }
                }
            }
            State::Delete { revocation, delete } => match cx.take(&delete) {
                Poll::Pending => Step::Wait(State::Delete { revocation, delete }),
                Poll::Ready(deleted) => {
                    if let (Err(_), Some(not_closed)) = (deleted, self.not_closed.take()) {
                        return Err(not_closed.into());
                    }
                    let change = SessionChange::LoggedOut(revocation.clone());
                    let tell = Tell::new(&self.key, vec![change]);
                    Step::Next(State::Tell { revocation, tell })
                }
            },
            State::Tell { revocation, mut tell } => match tell.poll(cx) {
                Poll::Pending => Step::Wait(State::Tell { revocation, tell }),
                Poll::Ready(Ok(())) => Step::Done(LoggedOut { revocation: Some(revocation) }),
            },
        })
    }

    /// Closes the record, unless it is closed already.
    fn close(&self, loaded: Loaded, cx: &mut Cx<'_>) -> Result<State, SessionsError> {
        let Loaded { record, version } = loaded;
        if record.closed {
            return Ok(self.revoke(&record, cx));
        }
        let record = Box::new(SessionRecord { closed: true, ..record });
        let (key, expect) = (self.key.record(), Expect::Version(version));
        let save = cx.save(key, record.to_value()?, expect, Some(cx.now() + CLOSED));
        Ok(State::Closing { record, save })
    }

    /// Revokes the tokens of the record, or newer ones that this process could not save.
    fn revoke(&self, record: &SessionRecord, cx: &Cx<'_>) -> State {
        let newer = unsaved::recall(&self.key, cx).map(|tokens| tokens.record.session);
        let session = newer.unwrap_or_else(|| record.session.clone());
        let revoke = Box::new(Revoke::new(Arc::clone(&self.managed.config), session));
        State::Revoke { revoke, deadline: cx.elapsed().saturating_add(revoke::TIME) }
    }
}

/// Time to delete the record.
const DELETING: Duration = Duration::from_secs(10);

impl fmt::Debug for LogOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOut").field("key", &self.key).finish_non_exhaustive()
    }
}
