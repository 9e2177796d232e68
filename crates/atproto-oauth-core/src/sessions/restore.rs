//! Loads a stored session, and renews it if that is asked for or needed.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Budget, Cx, Machine, Record, Step, Steps, Ticket};

use crate::error::SessionError;
use crate::session::Session;
use crate::sessions::ensure::Ensure;
use crate::sessions::error::SessionsError;
use crate::sessions::key::SessionKey;
use crate::sessions::policy::Managed;
use crate::sessions::record::Loaded;
use crate::sessions::refresh::unsaved;

/// Loads a stored session.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct Restore {
    wish: Wish,
    steps: Steps<State>,
}

struct Wish {
    managed: Managed,
    key: SessionKey,
    renew: Renew,
}

/// Whether a restored session is renewed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth way")]
pub enum Renew {
    /// If its access token has expired or is about to.
    #[default]
    IfNeeded,
    /// In any case.
    Always,
    /// In no case: the access token may have expired.
    Never,
}

enum State {
    Begin,
    Loading(Ticket<Option<Record>>),
    Ensure(Ensure),
}

impl Restore {
    pub(crate) fn new(managed: Managed, key: SessionKey) -> Self {
        let wish = Wish { managed, key, renew: Renew::default() };
        Self { wish, steps: Steps::begin(State::Begin) }
    }

    /// Sets whether the session is renewed; by default it is if that is needed.
    pub fn renew(mut self, renew: Renew) -> Self {
        self.wish.renew = renew;
        self
    }
}

impl Wish {
    fn ensure(&self, at_hand: Option<Arc<Session>>) -> State {
        let refused = match self.renew {
            Renew::Always => at_hand.as_ref().map(|session| session.access_token.clone()),
            Renew::IfNeeded | Renew::Never => None,
        };
        State::Ensure(Ensure::new(self.managed.clone(), self.key.clone(), at_hand, refused))
    }
}

impl Machine for Restore {
    type Output = Arc<Session>;
    type Error = SessionsError;

    fn budget(&self) -> Budget {
        // The time of a refresh, which answers in any case.
        Budget::new(0, Duration::from_secs(240))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Arc<Session>, SessionsError>> {
        let Self { wish, steps } = self;
        steps.run(|state| {
            Ok(match state {
                // Tokens that could not be saved are newer than the record.
                State::Begin if unsaved::recall(&wish.key, cx).is_some() => {
                    Step::Next(wish.ensure(None))
                }
                State::Begin => Step::Next(State::Loading(cx.load(wish.key.record()))),
                State::Loading(load) => match cx.take(&load) {
                    Poll::Pending => Step::Wait(State::Loading(load)),
                    Poll::Ready(record) => {
                        let record = record?.ok_or(SessionError::NotFound)?;
                        let client_id = &wish.managed.config.client_id;
                        let Loaded { record, .. } = Loaded::read(&record, &wish.key, client_id)?;
                        if record.closed {
                            return Err(SessionError::LoggedOut.into());
                        }
                        record.session.client_auth(&wish.managed.config)?;
                        let session = Arc::new(record.session);
                        match wish.renew {
                            Renew::Never => Step::Done(session),
                            Renew::IfNeeded | Renew::Always => {
                                Step::Next(wish.ensure(Some(session)))
                            }
                        }
                    }
                },
                State::Ensure(mut ensure) => match ensure.poll(cx) {
                    Poll::Pending => Step::Wait(State::Ensure(ensure)),
                    Poll::Ready(session) => Step::Done(session?),
                },
            })
        })
    }
}

impl fmt::Debug for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restore").field("key", &self.wish.key).finish_non_exhaustive()
    }
}
