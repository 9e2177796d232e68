//! Finishes a login whose record is in the store: takes the record, and stores the session.
//!
//! ```text
//! Load ── the right browser ──▶ Take ──▶ Exchange ──▶ Save ──▶ Others ──▶ Tell ──▶ FinishedLogin
//!   ▲                            │                      └── the store fails ──▶ Revoke ──▶ Remove ──▶ error
//!   └── conflict, or no answer ──┘
//! ```
//!
//! The record is taken by compare-and-set, so one callback wins, however many processes get it. A
//! callback from another browser takes nothing. The run is a shared machine of its own, so it ends in
//! a stored session even if its asker is dropped.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{
    Budget, Cx, Deleted, Expect, Listing, Machine, Record, Saved, SharedTicket, Step, Steps,
    StoreError, Ticket, Version,
};
use thiserror::Error;

use crate::error::{CallbackProblem, Error, SessionError};
use crate::login::callback::CallbackParams;
use crate::login::exchange_code::{CallbackError, ExchangeCode, LoggedIn};
use crate::login::pkce;
use crate::session::Session;
use crate::session::revoke::{self, Revocation, Revoke, after_revocation};
use crate::sessions::back_off::Failures;
use crate::sessions::event::SessionChange;
use crate::sessions::key::{self, SessionKey};
use crate::sessions::log_out::LogOutRun;
use crate::sessions::login::binding::Binding;
use crate::sessions::login::record::LoginRecord;
use crate::sessions::policy::{Managed, OnRelogin, SAVING};
use crate::sessions::record::SessionRecord;
use crate::sessions::refresh::save_tokens::{SaveEnd, SaveTokens, Tokens};
use crate::sessions::tell::Tell;

/// Finishes a login: takes its record, exchanges the code, and stores the session.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct FinishLogin {
    steps: Steps<Asking>,
}

enum Asking {
    Begin(Box<FinishRun>),
    Asked(SharedTicket<FinishResult>),
}

/// A finished login, whose session is stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FinishedLogin {
    /// The new session.
    pub session: Arc<Session>,
    /// Text that the application gave to [`Authorize::app_state`](crate::Authorize::app_state).
    pub app_state: Option<String>,
}

/// Failure of a login after the callback.
#[derive(Clone, Debug, Error)]
#[error("{error}{}", after_revocation(.revocation.as_ref()))]
#[non_exhaustive]
pub struct FinishLoginError {
    /// Cause of the failure.
    pub error: Error,
    /// Revocation of tokens that must not be used, as in [`CallbackError::revocation`].
    pub revocation: Option<Result<Revocation, Box<Error>>>,
    /// Text that the application gave to [`Authorize::app_state`](crate::Authorize::app_state);
    /// `None` before the record is taken.
    pub app_state: Option<String>,
}

type FinishResult = Result<FinishedLogin, FinishLoginError>;

/// The shared machine.
struct FinishRun {
    finish: Finish,
    steps: Steps<State>,
}

struct Finish {
    managed: Managed,
    params: CallbackParams,
    binding: Binding,
    /// Random id by which this run recognizes that it has taken the record.
    id: Option<String>,
    failures: Failures,
}

enum State {
    Load,
    Loading(Ticket<Option<Record>>),
    Pause(Ticket<()>),
    Taking {
        record: Box<LoginRecord>,
        save: Ticket<Saved>,
    },
    Exchange {
        exchange: Box<ExchangeCode>,
        deleted: Ticket<Deleted>,
    },
    Save {
        save: Box<SaveTokens>,
        tokens: Box<Tokens>,
        login: Box<LoggedIn>,
    },
    Revoke {
        revoke: Box<Revoke>,
        key: SessionKey,
        deadline: Duration,
        failed: Box<FinishLoginError>,
    },
    Remove {
        removed: Ticket<Deleted>,
        failed: Box<FinishLoginError>,
    },
    Others {
        listing: Ticket<Listing>,
        login: Box<LoggedIn>,
    },
    Ending {
        begun: Vec<SharedTicket<()>>,
        next: Option<String>,
        login: Box<LoggedIn>,
    },
    Tell {
        tell: Tell,
        result: Box<FinishResult>,
    },
}

type Next = Result<Step<State, FinishedLogin>, FinishLoginError>;

impl FinishLogin {
    pub(crate) fn new(managed: Managed, params: CallbackParams, binding: Binding) -> Self {
        let failures = Failures::default();
        let finish = Finish { managed, params, binding, id: None, failures };
        let run = FinishRun { finish, steps: Steps::begin(State::Load) };
        Self { steps: Steps::begin(Asking::Begin(Box::new(run))) }
    }
}

impl Machine for FinishLogin {
    type Output = FinishedLogin;
    type Error = FinishLoginError;

    fn budget(&self) -> Budget {
        // The time of the run, which answers in any case.
        Budget::new(0, TIME + Duration::from_secs(60))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<FinishResult> {
        self.steps.run(|state| {
            Ok(match state {
                // The name is random, so that a second callback does not get the session of this one.
                Asking::Begin(run) => {
                    let name = pkce::random_name(cx.entropy());
                    Step::Next(Asking::Asked(cx.shared(name, *run)))
                }
                Asking::Asked(asked) => match cx.take_shared(&asked) {
                    Poll::Pending => Step::Wait(Asking::Asked(asked)),
                    Poll::Ready(result) => Step::Done(result.map_err(Error::from)??),
                },
            })
        })
    }
}

/// Time of a run until its tokens have to be saved.
const TIME: Duration = Duration::from_secs(90);

impl Machine for FinishRun {
    type Output = FinishResult;
    type Error = Infallible;

    fn budget(&self) -> Budget {
        Budget::new(20, TIME)
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<FinishResult, Infallible>> {
        let Self { finish, steps } = self;
        steps.run(|state| finish.step(state, cx)).map(Ok)
    }
}

impl Finish {
    fn step(&mut self, state: State, cx: &mut Cx<'_>) -> Next {
        Ok(match state {
            State::Load => {
                let key = key::of_login(self.params.state());
                Step::Next(State::Loading(cx.load(key)))
            }
            State::Loading(load) => match cx.take(&load) {
                Poll::Pending => Step::Wait(State::Loading(load)),
                Poll::Ready(Ok(record)) => self.look(record.as_ref(), cx)?,
                Poll::Ready(Err(error)) => self.bear(error.into(), cx)?,
            },
            State::Pause(pause) => match cx.take(&pause) {
                Poll::Pending => Step::Wait(State::Pause(pause)),
                Poll::Ready(paused) => {
                    paused.map_err(Error::from)?;
                    Step::Next(State::Load)
                }
            },
            State::Taking { record, save } => match cx.take(&save) {
                Poll::Pending => Step::Wait(State::Taking { record, save }),
                Poll::Ready(Ok(Saved::As(version))) => self.exchange(*record, version, cx),
                Poll::Ready(Ok(Saved::Conflict)) => Step::Next(State::Load),
                Poll::Ready(Err(error)) => self.bear(error.into(), cx)?,
            },
            State::Exchange { mut exchange, deleted } => match exchange.poll(cx) {
                Poll::Pending => Step::Wait(State::Exchange { exchange, deleted }),
                // The record is taken, so it does not matter whether it is deleted.
                Poll::Ready(Ok(login)) => Step::Next(self.save(login, cx)),
                Poll::Ready(Err(failed)) => return Err(of_exchange(failed)),
            },
            State::Save { mut save, tokens, login } => match save.poll(cx) {
                Poll::Pending => Step::Wait(State::Save { save, tokens, login }),
                Poll::Ready(Ok(SaveEnd::Failed(error))) => {
                    Step::Next(self.not_saved(error, *login, cx))
                }
                Poll::Ready(Ok(_)) => Step::Next(self.replace_others(login, cx)),
            },
            State::Revoke { mut revoke, key, deadline, mut failed } => {
                match cx.extend_until(deadline, |cx| revoke.poll(cx)) {
                    Poll::Pending => Step::Wait(State::Revoke { revoke, key, deadline, failed }),
                    Poll::Ready(revoked) => {
                        failed.revocation = Some(revoked.map_err(Box::new));
                        // A save without an answer may have stored the session all the same.
                        let deadline = cx.elapsed().saturating_add(revoke::TIME);
                        let remove = |cx: &mut Cx<'_>| cx.delete(key.record(), Expect::Any);
                        let removed = cx.extend_until(deadline, remove);
                        Step::Next(State::Remove { removed, failed })
                    }
                }
            }
            State::Remove { removed, failed } => match cx.take(&removed) {
                Poll::Pending => Step::Wait(State::Remove { removed, failed }),
                Poll::Ready(_) => return Err(*failed),
            },
            State::Others { listing, login } => match cx.take(&listing) {
                Poll::Pending => Step::Wait(State::Others { listing, login }),
                Poll::Ready(listing) => Step::Next(self.end_others(listing.ok(), login, cx)),
            },
            State::Ending { mut begun, next, login } => match (begun.pop(), next) {
                (Some(run), next) => match cx.take_shared(&run) {
                    Poll::Pending => {
                        begun.push(run);
                        Step::Wait(State::Ending { begun, next, login })
                    }
                    Poll::Ready(_) => Step::Next(State::Ending { begun, next, login }),
                },
                (None, Some(next)) => Step::Next(list_others(login, Some(next), cx)),
                (None, None) => Step::Next(created(*login)),
            },
            State::Tell { mut tell, result } => match tell.poll(cx) {
                Poll::Pending => Step::Wait(State::Tell { tell, result }),
                Poll::Ready(Ok(())) => Step::Done((*result)?),
            },
        })
    }

    /// Tries again after a pause, unless the store fails again and again.
    fn bear(&mut self, error: Error, cx: &mut Cx<'_>) -> Next {
        match self.failures.bear(error.is_retryable(), cx) {
            Some(pause) => Ok(Step::Next(State::Pause(pause))),
            None => Err(error.into()),
        }
    }

    /// Takes the login if the callback comes from its browser.
    fn look(&mut self, record: Option<&Record>, cx: &mut Cx<'_>) -> Next {
        let unknown = || FinishLoginError::from(Error::from(CallbackProblem::UnknownState));
        let (login, version) = LoginRecord::read(record.ok_or_else(unknown)?)?;
        let pending = &login.pending;
        self.managed.config.check_client_id(&pending.client_id)?;
        // A restored or moved record must not answer for another login.
        if pending.state() != self.params.state() {
            return Err(unknown());
        }
        if let Some(hash) = &login.binding
            && !self.binding.fits(pending.state(), hash)
        {
            return Err(Error::from(CallbackProblem::OtherBrowser).into());
        }
        match (&login.taken, &self.id) {
            (Some(taken), Some(id)) if taken == id => Ok(self.exchange(login, version, cx)),
            (Some(_), _) => Err(unknown()),
            (None, _) => {
                let id = pkce::random_name(cx.entropy());
                self.id = Some(id.clone());
                let expires_at = Some(pending.expires_at());
                let record = LoginRecord { taken: Some(id), ..login };
                let key = key::of_login(self.params.state());
                let save = cx.save(key, record.to_value()?, Expect::Version(version), expires_at);
                Ok(Step::Next(State::Taking { record: Box::new(record), save }))
            }
        }
    }

    /// Exchanges the code, and deletes the record beside it.
    fn exchange(
        &self,
        record: LoginRecord,
        version: Version,
        cx: &mut Cx<'_>,
    ) -> Step<State, FinishedLogin> {
        let deleted = cx.delete(key::of_login(self.params.state()), Expect::Version(version));
        let config = Arc::clone(&self.managed.config);
        let exchange = ExchangeCode::new(config, record.pending, self.params.clone());
        Step::Next(State::Exchange { exchange: Box::new(exchange), deleted })
    }

    fn save(&self, login: LoggedIn, cx: &Cx<'_>) -> State {
        let record = SessionRecord::new(login.session.clone());
        let tokens =
            Tokens { key: SessionKey::of(&login.session), record, spent: None, lease: None };
        let deadline = cx.elapsed().saturating_add(SAVING);
        let save = Box::new(SaveTokens::new(tokens.clone(), Expect::Absent, deadline));
        State::Save { save, tokens: Box::new(tokens), login: Box::new(login) }
    }

    /// The store can't save the session: its tokens are revoked, its record is removed if there is one, and
    /// its user logs in again.
    fn not_saved(&self, error: StoreError, login: LoggedIn, cx: &Cx<'_>) -> State {
        let LoggedIn { session, app_state, .. } = login;
        let key = SessionKey::of(&session);
        let error = SessionError::NotSaved(error).into();
        let failed = Box::new(FinishLoginError { error, revocation: None, app_state });
        let revoke = Box::new(Revoke::new(Arc::clone(&self.managed.config), session));
        let deadline = cx.elapsed().saturating_add(revoke::TIME);
        State::Revoke { revoke, key, deadline, failed }
    }

    /// Lists the account's earlier sessions if they are to be logged out.
    fn replace_others(&self, login: Box<LoggedIn>, cx: &mut Cx<'_>) -> State {
        match self.managed.policy.on_relogin {
            OnRelogin::KeepBoth => created(*login),
            OnRelogin::ReplaceAndRevoke => list_others(login, None, cx),
        }
    }

    /// Logs the other sessions of a page out, in the background.
    fn end_others(&self, listing: Option<Listing>, login: Box<LoggedIn>, cx: &mut Cx<'_>) -> State {
        let Some(Listing { entries, next }) = listing else { return created(*login) };
        let new = SessionKey::of(&login.session);
        let keys = entries.iter().filter_map(|entry| SessionKey::of_record(&entry.key));
        let begin = |key: SessionKey| {
            let name = LogOutRun::name(&self.managed, &key);
            cx.detach(name, LogOutRun::new(self.managed.clone(), key).unheard())
        };
        let begun = keys.filter(|key| *key != new).map(begin).collect();
        State::Ending { begun, next, login }
    }
}

/// Lists one page of the account's sessions.
fn list_others(login: Box<LoggedIn>, after: Option<String>, cx: &mut Cx<'_>) -> State {
    let prefix = SessionKey::prefix(Some(login.session.did()));
    State::Others { listing: cx.list(prefix, after), login }
}

fn of_exchange(failed: CallbackError) -> FinishLoginError {
    let CallbackError { error, revocation, app_state } = failed;
    FinishLoginError { error, revocation, app_state }
}

/// The login has succeeded.
fn created(login: LoggedIn) -> State {
    let LoggedIn { session, app_state, violation } = login;
    let mut changes = vec![SessionChange::Created];
    if let Some(Error::NonceMissing(endpoint)) = violation {
        changes.push(SessionChange::NonceMissing(endpoint));
    }
    let tell = Tell::new(&SessionKey::of(&session), changes);
    let finished = FinishedLogin { session: Arc::new(session), app_state };
    State::Tell { tell, result: Box::new(Ok(finished)) }
}

impl<E: Into<Error>> From<E> for FinishLoginError {
    fn from(error: E) -> Self {
        Self { error: error.into(), revocation: None, app_state: None }
    }
}

impl fmt::Debug for FinishLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinishLogin").finish_non_exhaustive()
    }
}
