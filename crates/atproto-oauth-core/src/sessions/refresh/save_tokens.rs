//! Saves new tokens, which are the only usable ones of their session.
//!
//! ```text
//!     ┌──────── the token that was spent ────────┐
//!     ▼                                          │
//!   Save ── conflict, or no answer ──▶ Load ─────┴──▶ Saved | Theirs | Gone
//!     └──────── saved ────────────────────▶ Saved
//! ```
//!
//! If the store fails, the attempts go on until the deadline.

use std::convert::Infallible;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{
    Cx, Expect, Machine, Record, Saved, SecretString, Step, Steps, StoreError, StoreErrorKind,
    Ticket,
};

use crate::session::Session;
use crate::sessions::back_off::BackOff;
use crate::sessions::key::SessionKey;
use crate::sessions::policy::LEASE;
use crate::sessions::record::{Loaded, SessionRecord};

/// Machine that saves the record of a refresh or of a login.
pub(crate) struct SaveTokens {
    tokens: Tokens,
    deadline: Duration,
    back_off: BackOff,
    steps: Steps<State>,
}

/// New tokens, and the token that they replace.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) key: SessionKey,
    /// The record with the new tokens.
    pub(crate) record: SessionRecord,
    /// The refresh token that was spent for them; `None` after a login.
    pub(crate) spent: Option<SecretString>,
    /// Id of the lease that the token was spent under; `None` after a login.
    pub(crate) lease: Option<String>,
}

/// How saving has ended.
pub(crate) enum SaveEnd {
    /// The new tokens are in the store.
    Saved,
    /// The store has tokens that are newer, or of another refresh.
    Theirs,
    /// The session was logged out, so that the new tokens have to be revoked.
    Closed,
    /// The session has ended, and the new tokens have to be revoked.
    Gone,
    /// The store failed until the deadline.
    Failed(StoreError),
}

enum State {
    Save(Expect),
    Saving(Ticket<Saved>),
    Load,
    Loading(Ticket<Option<Record>>),
    Pause(Ticket<()>, StoreError),
}

impl SaveTokens {
    /// Saves over the record that `expect` describes. `deadline` is on the scale of
    /// [`Cx::elapsed`].
    pub(crate) fn new(tokens: Tokens, expect: Expect, deadline: Duration) -> Self {
        let steps = Steps::begin(State::Save(expect));
        Self { tokens, deadline, back_off: BackOff::default(), steps }
    }

    /// Looks at the present record first.
    pub(crate) fn over_present(tokens: Tokens, deadline: Duration) -> Self {
        let steps = Steps::begin(State::Load);
        Self { tokens, deadline, back_off: BackOff::default(), steps }
    }
}

impl Machine for SaveTokens {
    type Output = SaveEnd;
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<SaveEnd, Infallible>> {
        let Self { tokens, deadline, back_off, steps } = self;
        cx.extend_until(*deadline, |cx| {
            steps.run(|state| {
                Ok(match state {
                    State::Save(expect) => match tokens.record.to_value() {
                        Ok(value) => {
                            let save = cx.save(tokens.key.record(), value, expect, None);
                            Step::Next(State::Saving(save))
                        }
                        Err(why) => Step::Done(SaveEnd::Failed(unreadable(&why))),
                    },
                    State::Saving(save) => match cx.take(&save) {
                        Poll::Pending => Step::Wait(State::Saving(save)),
                        Poll::Ready(Ok(Saved::As(_))) => Step::Done(SaveEnd::Saved),
                        Poll::Ready(Ok(Saved::Conflict)) => Step::Next(State::Load),
                        Poll::Ready(Err(error)) => again(error, back_off, cx),
                    },
                    State::Load => Step::Next(State::Loading(cx.load(tokens.key.record()))),
                    State::Loading(load) => match cx.take(&load) {
                        Poll::Pending => Step::Wait(State::Loading(load)),
                        Poll::Ready(Ok(record)) => tokens.compare(record.as_ref()),
                        Poll::Ready(Err(error)) => again(error, back_off, cx),
                    },
                    State::Pause(pause, error) => match cx.take(&pause) {
                        Poll::Pending => Step::Wait(State::Pause(pause, error)),
                        Poll::Ready(Ok(())) => Step::Next(State::Load),
                        Poll::Ready(Err(_)) => Step::Done(SaveEnd::Failed(error)),
                    },
                })
            })
        })
    }
}

/// Tries again after a pause, unless no attempt can succeed. The store may have applied the last
/// write, so the next attempt looks at the record first.
fn again(error: StoreError, back_off: &mut BackOff, cx: &mut Cx<'_>) -> Step<State, SaveEnd> {
    match error.is_transient() {
        true => Step::Next(State::Pause(back_off.pause(cx), error)),
        false => Step::Done(SaveEnd::Failed(error)),
    }
}

impl Tokens {
    /// Decides by the record that is in the store now.
    fn compare(&mut self, record: Option<&Record>) -> Step<State, SaveEnd> {
        let Some(record) = record else {
            return match self.spent {
                Some(_) => Step::Done(SaveEnd::Gone),
                None => Step::Next(State::Save(Expect::Absent)),
            };
        };
        let Loaded { record: present, version } =
            match Loaded::read(record, &self.key, self.record.session.client_id()) {
                Ok(loaded) => loaded,
                Err(why) => return Step::Done(SaveEnd::Failed(unreadable(&why))),
            };
        let is_spent = |spent: &SecretString| {
            let token = present.session.refresh_token.as_ref();
            token.is_some_and(|token| token.expose() == spent.expose())
        };
        let is_new = is_same_token(&present.session, &self.record.session);
        // Another run took this one for dead, and may have spent the token again: a server that sees a
        // token twice ends the session.
        if let Some(lease) = present.lease.as_ref().filter(|lease| lease.took_over)
            && self.lease.as_ref() != Some(&lease.id)
        {
            self.record.ambiguous_since = Some(lease.until - LEASE);
        }
        if present.closed {
            Step::Done(SaveEnd::Closed)
        } else if is_new {
            // An earlier attempt was applied. If there is a lease, it is that of a run which has begun to
            // spend the new token since.
            Step::Done(SaveEnd::Saved)
        } else if self.spent.as_ref().is_some_and(is_spent) {
            Step::Next(State::Save(Expect::Version(version)))
        } else {
            Step::Done(SaveEnd::Theirs)
        }
    }
}

/// Whether both sessions have the same access token.
pub(crate) fn is_same_token(one: &Session, other: &Session) -> bool {
    one.access_token.expose() == other.access_token.expose()
}

fn unreadable(why: &impl std::fmt::Display) -> StoreError {
    StoreError::new(StoreErrorKind::Unreadable, why.to_string())
}
