//! Removes a session from the store without a logout, because another program goes on with it.

use std::fmt;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Budget, Cx, Deleted, Expect, Machine, Record, Step, Steps, Ticket};

use crate::error::SessionError;
use crate::session::Session;
use crate::sessions::error::SessionsError;
use crate::sessions::key::SessionKey;
use crate::sessions::record::Loaded;
use crate::sessions::refresh::save_tokens::is_same_token;

/// Removes the record of a session that was given to another program. Nothing is removed if the tokens in
/// the store are others, or if a process may be renewing them: then the tokens that were given away are
/// spent, or about to be.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct HandOver {
    given: Session,
    steps: Steps<State>,
}

enum State {
    Begin,
    Loading(Ticket<Option<Record>>),
    Deleting(Ticket<Deleted>),
}

impl HandOver {
    pub(crate) fn new(given: Session) -> Self {
        Self { given, steps: Steps::begin(State::Begin) }
    }
}

impl Machine for HandOver {
    type Output = ();
    type Error = SessionsError;

    fn budget(&self) -> Budget {
        Budget::new(0, Duration::from_secs(30))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), SessionsError>> {
        let Self { given, steps } = self;
        let key = SessionKey::of(given);
        steps.run(|state| {
            Ok(match state {
                State::Begin => Step::Next(State::Loading(cx.load(key.record()))),
                State::Loading(load) => match cx.take(&load) {
                    Poll::Pending => Step::Wait(State::Loading(load)),
                    Poll::Ready(record) => {
                        let record = record?.ok_or(SessionError::NotFound)?;
                        let Loaded { record, version } =
                            Loaded::read(&record, &key, given.client_id())?;
                        if record.closed {
                            return Err(SessionError::LoggedOut.into());
                        }
                        if record.lease.is_some() || !is_same_token(&record.session, given) {
                            return Err(SessionError::Renewed.into());
                        }
                        let delete = cx.delete(key.record(), Expect::Version(version));
                        Step::Next(State::Deleting(delete))
                    }
                },
                State::Deleting(delete) => match cx.take(&delete) {
                    Poll::Pending => Step::Wait(State::Deleting(delete)),
                    Poll::Ready(Ok(Deleted::Conflict)) => return Err(SessionError::Renewed.into()),
                    Poll::Ready(deleted) => {
                        deleted?;
                        Step::Done(())
                    }
                },
            })
        })
    }
}

impl fmt::Debug for HandOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandOver").field("given", &self.given).finish_non_exhaustive()
    }
}
