//! Adds a session that was made elsewhere to the store.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use atproto_sansio::{Budget, Cx, Expect, Machine, Step, Steps};

use crate::error::SessionError;
use crate::session::Session;
use crate::sessions::error::SessionsError;
use crate::sessions::event::SessionChange;
use crate::sessions::key::SessionKey;
use crate::sessions::policy::{Managed, SAVING};
use crate::sessions::record::SessionRecord;
use crate::sessions::refresh::save_tokens::{SaveEnd, SaveTokens, Tokens};
use crate::sessions::tell::Tell;

/// Stores a session that another program, another store or another client library has made, and ends in
/// the session as it is stored. No request is sent.
///
/// From then on the session belongs to this store. Its refresh token is single-use, so the place that it
/// came from must not use it any more.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct AddSession {
    session: Arc<Session>,
    managed: Managed,
    steps: Steps<State>,
}

enum State {
    Begin,
    Save(Box<SaveTokens>),
    Tell(Tell),
}

impl AddSession {
    pub(crate) fn new(managed: Managed, session: Session) -> Self {
        Self { session: Arc::new(session), managed, steps: Steps::begin(State::Begin) }
    }
}

impl Machine for AddSession {
    type Output = Arc<Session>;
    type Error = SessionsError;

    fn budget(&self) -> Budget {
        Budget::new(0, 2 * SAVING)
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Arc<Session>, SessionsError>> {
        let Self { session, managed, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Begin => {
                    managed.config.check_client_id(session.client_id())?;
                    session.client_auth(&managed.config)?;
                    let record = SessionRecord::new(Session::clone(session));
                    let key = SessionKey::of(session);
                    let tokens = Tokens { key, record, spent: None, lease: None };
                    let deadline = cx.elapsed().saturating_add(SAVING);
                    let save = SaveTokens::new(tokens, Expect::Absent, deadline);
                    Step::Next(State::Save(Box::new(save)))
                }
                State::Save(mut save) => match save.poll(cx) {
                    Poll::Pending => Step::Wait(State::Save(save)),
                    Poll::Ready(Ok(SaveEnd::Saved)) => {
                        let key = SessionKey::of(session);
                        Step::Next(State::Tell(Tell::new(&key, vec![SessionChange::Created])))
                    }
                    Poll::Ready(Ok(SaveEnd::Failed(error))) => return Err(error.into()),
                    Poll::Ready(Ok(SaveEnd::Theirs | SaveEnd::Closed | SaveEnd::Gone)) => {
                        return Err(SessionError::AlreadyStored.into());
                    }
                },
                State::Tell(mut tell) => match tell.poll(cx) {
                    Poll::Pending => Step::Wait(State::Tell(tell)),
                    Poll::Ready(Ok(())) => Step::Done(Arc::clone(session)),
                },
            })
        })
    }
}

impl fmt::Debug for AddSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddSession").field("session", &self.session).finish_non_exhaustive()
    }
}
