//! Exchanges a session's refresh token for a new session: verifies the account's issuer, then spends
//! the token.
//!
//! ```text
//! Start ──▶ Verify ── issuer verified ──▶ Spend ── tokens checked ──▶ Refreshed
//! ```
//!
//! A refresh token is single-use. So the token request is the last request before [`Refreshed`],
//! and the caller must store the new session before any other step. After a failure,
//! [`SessionEffect`] tells the caller the state of the old session. If the machine ends in `Ok`:
//! the account's PDS still names this issuer, and the new tokens are for the same account.
//!
//! RFC 6749 section 6; atproto OAuth, «Tokens and Session Lifetime».

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Budget, Cx, Machine, Step, Steps};
use thiserror::Error;

use crate::client::config::Config;
use crate::discovery::verify::{self, Verify, Wanted};
use crate::error::{AuthorityError, Error, SessionError};
use crate::session::Session;
use crate::session::revoke::{Revocation, after_revocation};
use crate::session::spend::Spend;

/// Verifies the account's issuer, spends the refresh token, and ends in a new session.
pub struct Refresh {
    config: Arc<Config>,
    session: Session,
    steps: Steps<State>,
}

/// The new session, which replaces the refreshed one.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "the old refresh token is spent: store the new session first"]
pub struct Refreshed {
    /// New session with the same DID and session id: store it over the old one, before any request.
    pub session: Session,
    /// Rule that the server broke although the new tokens are usable: [`Error::NonceMissing`], under
    /// each [`NoncePolicy`](crate::NoncePolicy). Report it after the session is stored.
    pub violation: Option<Error>,
}

/// Failure of a refresh, and its effect on the old session.
#[derive(Clone, Debug, Error)]
#[error("{error}{}", after_revocation(.revocation.as_ref()))]
#[non_exhaustive]
pub struct RefreshError {
    /// Cause of the failure.
    pub error: Error,
    /// Revocation of tokens that the server issued and that must not be used.
    ///
    /// `None`: the client received no tokens, so it revoked none. `Some(Ok)`: the tokens are
    /// revoked, or the server has no revocation endpoint. `Some(Err)`: revocation failed, and the
    /// tokens stay valid until they expire.
    pub revocation: Option<Result<Revocation, Box<Error>>>,
    /// State of the old session after the failure: tells the caller to keep or to delete it.
    pub effect: SessionEffect,
    /// The old session with a note of this failure, if the note matters for the next refresh: store
    /// it over the old session.
    ///
    /// It is present if the server refused the refresh with an error code that no specification
    /// defines. Servers that people run answer so for a dead refresh token, and others for a fault
    /// of their own. If a later refresh of this session is refused in the same way, its effect is
    /// [`SessionEffect::NeedsReauth`].
    pub session: Option<Box<Session>>,
}

impl RefreshError {
    /// Whether the same refresh may be repeated, and may then succeed: the refresh token was surely
    /// not spent, and the cause may pass.
    ///
    /// It is false for [`SessionEffect::Ambiguous`], because a second use of a spent refresh token
    /// ends the session.
    pub fn is_retryable(&self) -> bool {
        self.effect == SessionEffect::Keep && self.error.is_retryable()
    }
}

/// State of the old session after a failed refresh, and the caller's next step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle each variant")]
pub enum SessionEffect {
    /// The refresh token was not spent: keep the session, and refresh it again later.
    ///
    /// If [`Error::is_retryable`] is false, each refresh fails until the cause is corrected. A
    /// session without a refresh token is usable until its access token expires.
    Keep,
    /// The refresh token may be spent, because the server's response was lost or unreadable, or has
    /// an error code that no specification defines.
    ///
    /// Keep the session ([`RefreshError::session`] if it is present), use its access token until it
    /// expires, and refresh once more. If that refresh ends in [`Dead`](Self::Dead), the first one
    /// had spent the token: log in again.
    Ambiguous,
    /// The user must log in again: the account's PDS names another authorization server, or the
    /// server has refused the refresh a second time with an error code that no specification
    /// defines. The refresh token was not spent by this refresh.
    ///
    /// Keep the session until then, because a later refresh may succeed.
    /// [`Client::revoke`](crate::Client::revoke) revokes the tokens at the old server.
    NeedsReauth,
    /// The session has ended: delete it, and let the user log in again. If the store holds a newer
    /// session with the same session id, another task has refreshed it: keep that one.
    ///
    /// The server answered `invalid_grant`, it issued tokens that must not be used, or the session
    /// has an expired access token and no refresh token.
    Dead,
}

enum State {
    Start,
    Verify { verify: Box<Verify>, deadline: Duration },
    Spend(Box<Spend>),
}

impl Refresh {
    pub(crate) fn new(config: Arc<Config>, session: Session) -> Self {
        Self { config, session, steps: Steps::begin(State::Start) }
    }
}

impl Machine for Refresh {
    type Output = Refreshed;
    type Error = RefreshError;

    fn budget(&self) -> Budget {
        Budget::new(10, Duration::from_secs(45))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Refreshed, RefreshError>> {
        let Self { config, session, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Start => {
                    check(config, session, cx)?;
                    let Session { did, issuer, pds, .. } = session.clone();
                    let verify = Verify::new(config, did, issuer, Some(pds), Wanted::Nothing);
                    let deadline = cx.elapsed().saturating_add(verify::TIME);
                    Step::Next(State::Verify { verify: Box::new(verify), deadline })
                }
                State::Verify { mut verify, deadline } => {
                    match cx.until(deadline, |cx| verify.poll(cx)) {
                        Poll::Pending => Step::Wait(State::Verify { verify, deadline }),
                        Poll::Ready(verified) => {
                            let verified = verified.map_err(before_spending)?;
                            let spend = Spend::new(Arc::clone(config), session.clone(), verified);
                            Step::Next(State::Spend(Box::new(spend)))
                        }
                    }
                }
                State::Spend(mut spend) => match spend.poll(cx) {
                    Poll::Pending => Step::Wait(State::Spend(spend)),
                    Poll::Ready(refreshed) => Step::Done(refreshed?),
                },
            })
        })
    }
}

/// Rejects a session that can't be refreshed with this client. If the client's configuration does
/// not fit the session, the session stays usable.
fn check(config: &Config, session: &Session, cx: &Cx<'_>) -> Result<(), RefreshError> {
    config.check_client_id(&session.client_id).map_err(RefreshError::keep)?;
    session.client_auth(config).map_err(RefreshError::keep)?;
    if session.can_refresh() {
        return Ok(());
    }
    let error = SessionError::NoRefreshToken.into();
    Err(match session.is_expired(cx.now()) {
        true => RefreshError::new(error, SessionEffect::Dead),
        false => RefreshError::keep(error),
    })
}

/// Effect of an error before the token request: `Keep`, unless the PDS names another issuer.
fn before_spending(error: Error) -> RefreshError {
    let moved = matches!(error, Error::Authority(AuthorityError::IssuerOfAccount { .. }));
    let effect = if moved { SessionEffect::NeedsReauth } else { SessionEffect::Keep };
    RefreshError::new(error, effect)
}

impl RefreshError {
    pub(crate) fn new(error: Error, effect: SessionEffect) -> Self {
        Self { error, effect, revocation: None, session: None }
    }

    pub(crate) fn keep(error: Error) -> Self {
        Self::new(error, SessionEffect::Keep)
    }
}

/// Keeps the cause alone: `effect`, `revocation` and `session` are dropped.
impl From<RefreshError> for Error {
    fn from(error: RefreshError) -> Self {
        error.error
    }
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh").field("session", &self.session).finish_non_exhaustive()
    }
}
