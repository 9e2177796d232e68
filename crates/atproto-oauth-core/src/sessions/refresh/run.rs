//! Refreshes a stored session, safely with any number of processes that share the store.
//!
//! ```text
//! Begin ──▶ Load ──▶ Verify ──▶ Lease ──▶ Spend ──▶ Save ──▶ Tell ──▶ session
//!            ▲  │                 │         │        └── logged out ──▶ Revoke
//!            │  └── lease of      │         └── failed ──▶ Note, or Judge ──▶ Delete
//!            │      another ──▶ Pause
//!            └──────────── conflict
//! ```
//!
//! A refresh token is single-use, so only the run that holds the lease in the record spends it. The
//! lease is taken by compare-and-set, and ends by itself: its holder sends nothing in its last 20
//! seconds, and saves before its end. A run that takes over the lease of a dead holder may find the
//! token spent; then the session has ended with the cause
//! [`RotationResponseLost`](DeletedCause::RotationResponseLost).
//!
//! One run serves all askers of a process: it is a shared machine.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{
    Budget, Cx, Deleted, Expect, Machine, Record, Saved, SharedTicket, Step, Steps, StoreError,
    Ticket,
};

use crate::discovery::verify::{self, Verified, Verify, Wanted as WantedHandle};
use crate::endpoints::token::Limits;
use crate::error::{AuthorityError, DeletedCause, Error, ReauthCause, SessionError};
use crate::login::pkce;
use crate::session::Session;
use crate::session::refresh::Refreshed;
use crate::session::revoke::{self, Revoke};
use crate::session::spend::Spend;
use crate::sessions::back_off::{BackOff, Failures};
use crate::sessions::clock::Clock;
use crate::sessions::error::SessionsError;
use crate::sessions::event::{SessionChange, Unsaved};
use crate::sessions::key::SessionKey;
use crate::sessions::policy::{LEASE, LEAST_RESPONSE, Managed, RESERVE, RESPONSE};
use crate::sessions::record::{Loaded, SessionRecord};
use crate::sessions::refresh::decision::{Decision, decide};
use crate::sessions::refresh::lease::Lease;
use crate::sessions::refresh::save_tokens::{SaveEnd, SaveTokens, Tokens};
use crate::sessions::refresh::unsaved::{self, KeepSaving};
use crate::sessions::refresh::verdict::{Verdict, cause_of_end, judge, migrated};
use crate::sessions::refresh::wanted::Wanted;
use crate::sessions::tell::Tell;

/// The machine of a refresh; its output is for all who asked.
pub(crate) struct RefreshRun {
    run: Run,
    steps: Steps<State>,
}

pub(crate) type RunResult = Result<Arc<Session>, SessionsError>;

struct Run {
    managed: Managed,
    key: SessionKey,
    wanted: Wanted,
    /// Id of this run's lease.
    id: Option<String>,
    /// The latest check of the account's issuer, which a lost race does not make older.
    verified: Option<(Duration, Box<Verified>)>,
    waiting: BackOff,
    failures: Failures,
    /// Whether this run has asked the store to delete the record.
    deleting: Option<DeletedCause>,
}

/// A record with this run's lease.
struct Held {
    loaded: Loaded,
    lease: Lease,
    /// Monotonic time before the lease was saved.
    at: Duration,
}

enum State {
    Begin,
    Loading(Ticket<Option<Record>>),
    Pause(Ticket<()>),
    Verify { loaded: Box<Loaded>, verify: Box<Verify>, deadline: Duration },
    Leasing { held: Box<Held>, verified: Box<Verified>, save: Ticket<Saved> },
    Spend { held: Box<Held>, spend: Box<Spend>, clock: Clock },
    Save { save: Box<SaveTokens>, tokens: Box<Tokens>, changes: Vec<SessionChange> },
    Detach { begun: SharedTicket<()>, unsaved: Unsaved },
    Note { saved: Ticket<Saved>, changes: Vec<SessionChange>, result: RunResult },
    Judge { held: Box<Held>, load: Ticket<Option<Record>> },
    Delete { held: Box<Held>, cause: DeletedCause, delete: Ticket<Deleted> },
    Revoke { revoke: Box<Revoke>, deadline: Duration, error: SessionError },
    Tell { tell: Tell, result: RunResult },
}

type Next = Result<Step<State, Arc<Session>>, SessionsError>;

/// Age up to which a check of the issuer counts.
const RECENT: Duration = Duration::from_secs(10);

impl RefreshRun {
    pub(crate) fn new(managed: Managed, key: SessionKey, wanted: Wanted) -> Self {
        let run = Run {
            managed,
            key,
            wanted,
            id: None,
            verified: None,
            waiting: BackOff::default(),
            failures: Failures::default(),
            deleting: None,
        };
        Self { run, steps: Steps::begin(State::Begin) }
    }

    /// Name of the run that serves all askers for this session.
    pub(crate) fn name(managed: &Managed, key: &SessionKey) -> String {
        format!("{} {}", managed.config.client_id, key.record())
    }

    /// Name of the run that serves all askers whose access token `refused` was refused.
    pub(crate) fn name_without(
        managed: &Managed,
        key: &SessionKey,
        refused: &atproto_dpop::AccessToken,
    ) -> String {
        format!("{} without {}", Self::name(managed, key), refused.ath())
    }
}

impl Machine for RefreshRun {
    type Output = RunResult;
    type Error = Infallible;

    fn budget(&self) -> Budget {
        Budget { http: 40, time: Duration::from_secs(180), calls: 1024, store: 1024 }
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<RunResult, Infallible>> {
        let Self { run, steps } = self;
        steps.run(|state| run.step(state, cx)).map(Ok)
    }
}

impl Run {
    fn step(&mut self, state: State, cx: &mut Cx<'_>) -> Next {
        match state {
            State::Begin => Ok(Step::Next(self.begin(cx))),
            State::Loading(load) => match cx.take(&load) {
                Poll::Pending => Ok(Step::Wait(State::Loading(load))),
                Poll::Ready(Ok(None)) => Err(SessionError::NotFound.into()),
                Poll::Ready(Ok(Some(record))) => {
                    let loaded = self.read(&record)?;
                    self.decide(loaded, cx)
                }
                Poll::Ready(Err(error)) => self.bear(error, cx),
            },
            State::Pause(pause) => match cx.take(&pause) {
                Poll::Pending => Ok(Step::Wait(State::Pause(pause))),
                Poll::Ready(paused) => {
                    paused.map_err(Error::from)?;
                    // Another run of this process may have kept tokens meanwhile.
                    Ok(Step::Next(self.begin(cx)))
                }
            },
            State::Verify { loaded, mut verify, deadline } => {
                match cx.until(deadline, |cx| verify.poll(cx)) {
                    Poll::Pending => Ok(Step::Wait(State::Verify { loaded, verify, deadline })),
                    Poll::Ready(Ok(verified)) => self.lease(*loaded, Box::new(verified), cx),
                    Poll::Ready(Err(error)) => self.not_verified(*loaded, error, cx),
                }
            }
            State::Leasing { held, verified, save } => match cx.take(&save) {
                Poll::Pending => Ok(Step::Wait(State::Leasing { held, verified, save })),
                Poll::Ready(Ok(Saved::As(version))) => {
                    let loaded = Loaded { version, ..held.loaded };
                    Ok(Step::Next(self.spend(Held { loaded, ..*held }, verified, cx)))
                }
                Poll::Ready(Ok(Saved::Conflict)) => {
                    self.verified = Some((cx.elapsed(), verified));
                    Ok(Step::Next(self.load(cx)))
                }
                Poll::Ready(Err(error)) => self.bear(error, cx),
            },
            State::Spend { held, mut spend, clock } => {
                let deadline = held.at.saturating_add(LEASE - RESERVE + RESPONSE);
                match cx.extend_until(deadline, |cx| spend.poll(cx)) {
                    Poll::Pending => Ok(Step::Wait(State::Spend { held, spend, clock })),
                    Poll::Ready(Ok(refreshed)) => {
                        Ok(Step::Next(self.save(*held, refreshed, clock.change(cx))))
                    }
                    Poll::Ready(Err(failed)) => {
                        let verdict = judge(failed, &held.loaded.record, &held.lease, cx.now());
                        self.follow(verdict, held, cx)
                    }
                }
            }
            State::Save { mut save, tokens, changes } => match save.poll(cx) {
                Poll::Pending => Ok(Step::Wait(State::Save { save, tokens, changes })),
                Poll::Ready(Ok(end)) => self.saved(end, *tokens, changes, cx),
            },
            State::Detach { begun, unsaved } => match cx.take_shared(&begun) {
                Poll::Pending => Ok(Step::Wait(State::Detach { begun, unsaved })),
                Poll::Ready(_) => {
                    let change = SessionChange::NotSaved(unsaved.clone());
                    Ok(Step::Next(self.tell(vec![change], Err(not_saved(unsaved)))))
                }
            },
            State::Note { saved, changes, result } => match cx.take(&saved) {
                Poll::Pending => Ok(Step::Wait(State::Note { saved, changes, result })),
                // Without the note, the lease ends by itself.
                Poll::Ready(_) => Ok(Step::Next(self.tell(changes, result))),
            },
            State::Judge { held, load } => match cx.take(&load) {
                Poll::Pending => Ok(Step::Wait(State::Judge { held, load })),
                Poll::Ready(Ok(record)) => self.dead_or_renewed(held, record.as_ref(), cx),
                Poll::Ready(Err(error)) => Err(error.into()),
            },
            State::Delete { held, cause, delete } => match cx.take(&delete) {
                Poll::Pending => Ok(Step::Wait(State::Delete { held, cause, delete })),
                Poll::Ready(Ok(Deleted::Yes)) => Ok(Step::Next(self.ended(cause))),
                Poll::Ready(Err(error)) if !error.is_transient() => Err(error.into()),
                Poll::Ready(Ok(Deleted::Conflict) | Err(_)) => {
                    self.deleting = Some(cause);
                    let load = cx.load(self.key.record());
                    Ok(Step::Next(State::Judge { held, load }))
                }
            },
            State::Revoke { mut revoke, deadline, error } => {
                match cx.extend_until(deadline, |cx| revoke.poll(cx)) {
                    Poll::Pending => Ok(Step::Wait(State::Revoke { revoke, deadline, error })),
                    Poll::Ready(revoked) => {
                        let changes = vec![SessionChange::LateTokensRevoked(revoked)];
                        Ok(Step::Next(self.tell(changes, Err(error.into()))))
                    }
                }
            }
            State::Tell { mut tell, result } => match tell.poll(cx) {
                Poll::Pending => Ok(Step::Wait(State::Tell { tell, result })),
                Poll::Ready(Ok(())) => result.map(Step::Done),
            },
        }
    }

    /// Saves the tokens that an earlier run could not save, or loads the record.
    fn begin(&self, cx: &mut Cx<'_>) -> State {
        match unsaved::recall(&self.key, cx) {
            Some(tokens) => {
                let deadline = cx.elapsed().saturating_add(RESERVE);
                let save = SaveTokens::over_present(tokens.clone(), deadline);
                State::Save { save: Box::new(save), tokens: Box::new(tokens), changes: Vec::new() }
            }
            None => self.load(cx),
        }
    }

    fn load(&self, cx: &mut Cx<'_>) -> State {
        State::Loading(cx.load(self.key.record()))
    }

    fn read(&self, record: &Record) -> Result<Loaded, Error> {
        Loaded::read(record, &self.key, &self.managed.config.client_id)
    }

    /// Loads again after a failure of the store, unless it fails again and again.
    fn bear(&mut self, error: StoreError, cx: &mut Cx<'_>) -> Next {
        match self.failures.bear(error.is_transient(), cx) {
            Some(pause) => Ok(Step::Next(State::Pause(pause))),
            None => Err(error.into()),
        }
    }

    /// Takes the next step with a record that was just loaded.
    fn decide(&mut self, loaded: Loaded, cx: &mut Cx<'_>) -> Next {
        self.failures.clear();
        let skew = self.managed.policy.clock_skew;
        match decide(&loaded, &self.key, &self.wanted, self.id.as_deref(), skew, cx) {
            Decision::Use => Ok(Step::Done(Arc::new(loaded.record.session))),
            Decision::Fail(error) => Err(error.into()),
            Decision::Expired => {
                let cause = DeletedCause::Expired;
                let delete = cx.delete(self.key.record(), Expect::Version(loaded.version));
                let held = Box::new(Held::without_lease(loaded));
                Ok(Step::Next(State::Delete { held, cause, delete }))
            }
            Decision::Wait => Ok(Step::Next(State::Pause(self.waiting.pause(cx)))),
            Decision::Renew => self.verify(loaded, cx),
        }
    }

    /// Verifies the issuer, unless this run has just done it.
    fn verify(&mut self, loaded: Loaded, cx: &mut Cx<'_>) -> Next {
        let session = &loaded.record.session;
        session.client_auth(&self.managed.config)?;
        if let Some((at, verified)) = self.verified.take()
            && cx.elapsed().saturating_sub(at) < RECENT
        {
            return self.lease(loaded, verified, cx);
        }
        let (did, issuer, pds) =
            (session.did.clone(), session.issuer.clone(), Some(session.pds.clone()));
        let verify = Verify::new(&self.managed.config, did, issuer, pds, WantedHandle::Nothing);
        let deadline = cx.elapsed().saturating_add(verify::TIME);
        let (loaded, verify) = (Box::new(loaded), Box::new(verify));
        Ok(Step::Next(State::Verify { loaded, verify, deadline }))
    }

    /// The issuer could not be verified: nothing was spent.
    fn not_verified(&mut self, loaded: Loaded, error: Error, cx: &mut Cx<'_>) -> Next {
        if matches!(error, Error::Authority(AuthorityError::IssuerOfAccount { .. })) {
            let (record, changes) = migrated(loaded.record, error, cx.now());
            let result = Err(SessionError::NeedsReauth(ReauthCause::AccountMigrated).into());
            return self.note(record, loaded.version, changes, result, cx);
        }
        let (session, failed) =
            (&loaded.record.session, SessionChange::RefreshFailed(error.clone()));
        let result = match self.wanted.can_use(session, cx) {
            true => Ok(Arc::new(session.clone())),
            false => Err(error.into()),
        };
        Ok(Step::Next(self.tell(vec![failed], result)))
    }

    /// Takes the lease, by compare-and-set.
    fn lease(&mut self, loaded: Loaded, verified: Box<Verified>, cx: &mut Cx<'_>) -> Next {
        let id = self.id.get_or_insert_with(|| pkce::random_name(cx.entropy())).clone();
        let before = loaded.record.lease.as_ref();
        let took_over = before.is_some_and(|before| before.id != id || before.took_over);
        let lease = Lease { id, until: cx.now() + LEASE, took_over };
        let record = SessionRecord { lease: Some(lease.clone()), ..loaded.record };
        let value = record.to_value()?;
        let at = cx.elapsed();
        let save = cx.save(self.key.record(), value, Expect::Version(loaded.version), None);
        let held = Box::new(Held { loaded: Loaded { record, ..loaded }, lease, at });
        Ok(Step::Next(State::Leasing { held, verified, save }))
    }

    /// Spends the refresh token, or renews the lease if too little of it is left.
    fn spend(&mut self, held: Held, verified: Box<Verified>, cx: &mut Cx<'_>) -> State {
        let start_by = held.lease.until - RESERVE;
        let is_late = cx.elapsed().saturating_sub(held.at) > LEASE - RESERVE;
        if is_late || cx.now() > start_by {
            return self.load(cx);
        }
        let (config, session) = (self.managed.config.clone(), held.loaded.record.session.clone());
        let limits = Limits { start_by: Some(start_by), least_time: LEAST_RESPONSE };
        let clock = Clock::before(&session.issuer, cx);
        let spend = Box::new(Spend::new(config, session, *verified).within(limits));
        State::Spend { held: Box::new(held), spend, clock }
    }

    /// Saves the new tokens before anybody gets them.
    fn save(&self, held: Held, refreshed: Refreshed, skew: Option<SessionChange>) -> State {
        let Refreshed { session: new, violation } = refreshed;
        let old = &held.loaded.record.session;
        let mut changes = SessionChange::of_refresh(old, &new, violation);
        changes.extend(skew);
        let tokens = Tokens {
            key: self.key.clone(),
            spent: old.refresh_token.clone(),
            lease: Some(held.lease.id.clone()),
            record: held.loaded.record.renewed(new),
        };
        let expect = Expect::Version(held.loaded.version);
        let deadline = held.at.saturating_add(LEASE);
        let save = Box::new(SaveTokens::new(tokens.clone(), expect, deadline));
        State::Save { save, tokens: Box::new(tokens), changes }
    }

    fn saved(
        &mut self,
        end: SaveEnd,
        tokens: Tokens,
        changes: Vec<SessionChange>,
        cx: &mut Cx<'_>,
    ) -> Next {
        if !matches!(end, SaveEnd::Failed(_)) {
            unsaved::forget(&self.key, cx);
        }
        Ok(Step::Next(match end {
            SaveEnd::Saved if changes.is_empty() => self.load(cx),
            SaveEnd::Saved => self.tell(changes, Ok(Arc::new(tokens.record.session))),
            SaveEnd::Theirs => self.load(cx),
            SaveEnd::Closed | SaveEnd::Gone => {
                let error = match end {
                    SaveEnd::Closed => SessionError::LoggedOut,
                    _ => SessionError::NotFound,
                };
                let config = Arc::clone(&self.managed.config);
                let revoke = Box::new(Revoke::new(config, tokens.record.session));
                let deadline = cx.elapsed().saturating_add(revoke::TIME);
                State::Revoke { revoke, deadline, error }
            }
            SaveEnd::Failed(error) => {
                let session = Arc::new(tokens.record.session.clone());
                // Tokens of an earlier run that can't be saved are usable all the same.
                if changes.is_empty() && self.wanted.is_met_by(&session, cx) {
                    return Ok(Step::Done(session));
                }
                let unsaved = Unsaved { session, error };
                if changes.is_empty() {
                    return Err(not_saved(unsaved));
                }
                unsaved::keep(&tokens, cx);
                let name = RefreshRun::name(&self.managed, &self.key);
                let begun = cx.detach(name, KeepSaving::new(&self.managed.config, tokens));
                State::Detach { begun, unsaved }
            }
        }))
    }

    /// Does what the verdict on a failed attempt demands.
    fn follow(&mut self, verdict: Verdict, held: Box<Held>, cx: &mut Cx<'_>) -> Next {
        match verdict {
            Verdict::Kept { record, changes, error } => {
                let result = match self.wanted.can_use(&record.session, cx) {
                    true => Ok(Arc::new(record.session.clone())),
                    false => Err(error.into()),
                };
                self.note(*record, held.loaded.version, changes, result, cx)
            }
            Verdict::NeedsReauth { record, changes, cause } => {
                let result = Err(SessionError::NeedsReauth(cause).into());
                self.note(*record, held.loaded.version, changes, result, cx)
            }
            Verdict::Spent => {
                let load = cx.load(self.key.record());
                Ok(Step::Next(State::Judge { held, load }))
            }
            Verdict::Rejected => {
                let cause = DeletedCause::TokensRejected;
                let expect = Expect::Version(held.loaded.version);
                let delete = cx.delete(self.key.record(), expect);
                Ok(Step::Next(State::Delete { held, cause, delete }))
            }
        }
    }

    /// The server calls the refresh token spent: either another run has renewed the session, or it
    /// has ended.
    fn dead_or_renewed(
        &mut self,
        held: Box<Held>,
        record: Option<&Record>,
        cx: &mut Cx<'_>,
    ) -> Next {
        let Some(record) = record else {
            return match self.deleting {
                Some(cause) => Ok(Step::Next(self.ended(cause))),
                None => Err(SessionError::NotFound.into()),
            };
        };
        let loaded = self.read(record)?;
        let token = |record: &SessionRecord| {
            record.session.refresh_token.as_ref().map(|token| token.expose().to_owned())
        };
        if loaded.record.closed {
            return Err(SessionError::LoggedOut.into());
        }
        if token(&loaded.record) != token(&held.loaded.record) {
            return self.decide(loaded, cx);
        }
        let cause = self.deleting.unwrap_or_else(|| cause_of_end(&loaded.record, &held.lease));
        let delete = cx.delete(self.key.record(), Expect::Version(loaded.version));
        Ok(Step::Next(State::Delete { held, cause, delete }))
    }

    /// Stores what a failure means for the next refresh.
    fn note(
        &self,
        record: SessionRecord,
        version: atproto_sansio::Version,
        changes: Vec<SessionChange>,
        result: RunResult,
        cx: &mut Cx<'_>,
    ) -> Next {
        let saved = cx.save(self.key.record(), record.to_value()?, Expect::Version(version), None);
        Ok(Step::Next(State::Note { saved, changes, result }))
    }

    fn ended(&self, cause: DeletedCause) -> State {
        let result = Err(SessionError::Ended(cause).into());
        self.tell(vec![SessionChange::Deleted(cause)], result)
    }

    fn tell(&self, changes: Vec<SessionChange>, result: RunResult) -> State {
        State::Tell { tell: Tell::new(&self.key, changes), result }
    }
}

impl Held {
    /// For a deletion without a lease.
    fn without_lease(loaded: Loaded) -> Self {
        let lease = Lease { id: String::new(), until: Default::default(), took_over: false };
        Self { loaded, lease, at: Duration::ZERO }
    }
}

fn not_saved(unsaved: Unsaved) -> SessionsError {
    let error = SessionError::NotSaved(unsaved.error.clone()).into();
    SessionsError { error, unsaved: Some(unsaved) }
}
