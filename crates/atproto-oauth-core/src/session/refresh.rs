//! Exchanges a session's refresh token for a new session.
//!
//! ```text
//! Start ──▶ Verify ── issuer verified ──▶ Token ── granted ──▶ Refreshed
//!                                           │ rejected tokens
//!                                           ▼
//!                                        CleanUp ── revocation ended ──▶ error
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
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_dpop::{Dpop, DpopReply};
use atproto_sansio::{Budget, Cx, Machine, UnixTime};
use thiserror::Error;

use crate::client::config::{Config, NoncePolicy};
use crate::discovery::verify::{self, Verified, Verify};
use crate::endpoints::form::FormEndpoint;
use crate::endpoints::refusal::Refusal;
use crate::endpoints::token::{Grant, Issued, Token};
use crate::error::{AuthorityError, EndpointName, Error, SessionError};
use crate::session::Session;
use crate::session::revoke::{Revocation, RevokeTokens, after_revocation};

/// Verifies the account's issuer, spends the refresh token, and ends in a new session.
pub struct Refresh {
    config: Arc<Config>,
    session: Session,
    state: State,
}

/// The new session, which replaces the refreshed one.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "the old refresh token is spent: store the new session first"]
pub struct Refreshed {
    /// New session with the same DID and session id: store it over the old one, before any request.
    pub session: Session,
    /// Rule that the server broke although the new tokens are usable: [`Error::NonceMissing`] under
    /// [`NoncePolicy::Strict`]. Report it after the session is stored.
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
    /// The refresh token may be spent, because the server's response was lost or unreadable.
    ///
    /// Keep the session, use its access token until it expires, and refresh once more. If that
    /// refresh ends in [`Dead`](Self::Dead), the first one had spent the token: log in again.
    Ambiguous,
    /// The account's PDS names another authorization server, and the refresh token was not spent.
    ///
    /// The user must log in again; no later refresh succeeds while the account is at that server.
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
    Token { asked_at: UnixTime, token: Box<Dpop<Token>>, verified: Box<Verified> },
    CleanUp { revoke: Box<RevokeTokens>, error: Box<RefreshError> },
    Ended,
}

impl Refresh {
    pub(crate) fn new(config: Arc<Config>, session: Session) -> Self {
        Self { config, session, state: State::Start }
    }

    fn start(&self, cx: &Cx<'_>) -> Result<State, RefreshError> {
        // If the client's configuration does not fit the session, the session stays usable.
        self.config
            .check_client_id(&self.session.client_id)
            .map_err(|error| effect(error, SessionEffect::Keep))?;
        self.session
            .client_auth(&self.config)
            .map_err(|error| effect(error, SessionEffect::Keep))?;
        if !self.session.can_refresh() {
            let expired = self.session.is_expired(cx.now());
            let verdict = if expired { SessionEffect::Dead } else { SessionEffect::Keep };
            return Err(effect(SessionError::NoRefreshToken.into(), verdict));
        }
        let Session { did, issuer, pds, .. } = self.session.clone();
        Ok(State::Verify {
            verify: Box::new(Verify::new(&self.config, did, issuer, Some(pds))),
            deadline: cx.elapsed().saturating_add(verify::TIME),
        })
    }

    fn spend(&self, verified: Verified, now: UnixTime) -> Result<State, RefreshError> {
        let refresh_token = self.session.refresh_token.clone();
        let token = Token {
            endpoint: FormEndpoint {
                url: verified.server.token_endpoint.clone(),
                auth: self
                    .session
                    .client_auth(&self.config)
                    .map_err(|error| effect(error, SessionEffect::Keep))?,
                reach: self.config.reach(),
            },
            grant: Grant::Refresh {
                refresh_token: refresh_token
                    .ok_or_else(|| dead(SessionError::NoRefreshToken.into()))?,
            },
        };
        let token = Box::new(Dpop::new(token, &self.session.dpop_key));
        Ok(State::Token { asked_at: now, token, verified: Box::new(verified) })
    }

    /// Revokes rejected tokens. The session ends as `Dead`, because its refresh token is spent.
    fn clean_up(
        &self,
        issued: &Issued,
        endpoint: Option<url::Url>,
        error: Error,
    ) -> Result<State, RefreshError> {
        let auth = match self.session.client_auth(&self.config) {
            Ok(auth) => auth,
            Err(no_auth) => {
                return Err(RefreshError { revocation: Some(Err(no_auth.into())), ..dead(error) });
            }
        };
        let revoke = RevokeTokens::new(
            endpoint.map(|url| FormEndpoint { url, auth, reach: self.config.reach() }),
            &self.session.dpop_key,
            issued.refresh_token.clone().or_else(|| self.session.refresh_token.clone()),
            issued.access_token.clone(),
        );
        Ok(State::CleanUp { revoke: Box::new(revoke), error: Box::new(dead(error)) })
    }
}

impl Machine for Refresh {
    type Output = Refreshed;
    type Error = RefreshError;

    fn budget(&self) -> Budget {
        Budget::new(10, Duration::from_secs(45))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Refreshed, RefreshError>> {
        let result = ready!(self.advance(cx));
        self.state = State::Ended;
        Poll::Ready(result)
    }
}

impl Refresh {
    fn advance(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Refreshed, RefreshError>> {
        loop {
            match &mut self.state {
                State::Start => self.state = self.start(cx)?,
                State::Verify { verify, deadline } => {
                    let verified = ready!(cx.until(*deadline, |cx| verify.poll(cx)));
                    let verified = verified.map_err(before_spending)?;
                    self.state = self.spend(verified, cx.now())?;
                }
                State::Token { asked_at, token, verified } => {
                    let at = *asked_at;
                    let DpopReply { output: issued, nonce_missing } =
                        ready!(token.poll(cx)).map_err(while_spending)?;
                    let endpoint = verified.server.revocation_endpoint.clone();
                    match renew(&self.session, &issued, verified, at) {
                        Err(error) => self.state = self.clean_up(&issued, endpoint, error)?,
                        // A missing nonce is no error here: the old refresh token is spent, so an
                        // error would lose the only usable tokens.
                        Ok(session) => {
                            let strict = self.config.nonce_policy == NoncePolicy::Strict;
                            let violation = (nonce_missing && strict)
                                .then_some(Error::NonceMissing(EndpointName::Token));
                            return Poll::Ready(Ok(Refreshed { session, violation }));
                        }
                    }
                }
                State::CleanUp { revoke, error } => {
                    let revocation = Some(ready!(revoke.poll(cx)).map_err(Box::new));
                    return Poll::Ready(Err(RefreshError { revocation, ..(**error).clone() }));
                }
                State::Ended => unreachable!("a refresh is not polled after its end"),
            }
        }
    }
}

/// Checks the token response, and makes the new session from it and the old one.
fn renew(
    old: &Session,
    issued: &Issued,
    verified: &Verified,
    at: UnixTime,
) -> Result<Session, Error> {
    let granted = issued.check(at)?;
    if granted.sub != old.did {
        let (expected, found) = (old.did.clone(), granted.sub);
        return Err(AuthorityError::SubjectMismatch { expected, found }.into());
    }
    let old = old.clone();
    Ok(Session {
        pds: verified.pds.clone(),
        scopes: granted.scopes,
        access_token: granted.access_token,
        // Without a new refresh token, the old one stays valid (RFC 6749 section 6).
        refresh_token: granted.refresh_token.or(old.refresh_token),
        expires_at: granted.expires_at,
        revocation_endpoint: verified.server.revocation_endpoint.clone(),
        updated_at: at,
        last_verified_at: at,
        ..old
    })
}

fn effect(error: Error, effect: SessionEffect) -> RefreshError {
    RefreshError { error, effect, revocation: None }
}

fn dead(error: Error) -> RefreshError {
    effect(error, SessionEffect::Dead)
}

/// Effect of an error before the token request: `Keep`, unless the PDS names another issuer.
fn before_spending(error: Error) -> RefreshError {
    let moved = matches!(error, Error::Authority(AuthorityError::IssuerOfAccount { .. }));
    effect(error, if moved { SessionEffect::NeedsReauth } else { SessionEffect::Keep })
}

/// Effect of an error of the token request. The effect is `Keep` only if the error proves that the
/// refresh token was not spent.
fn while_spending(error: Error) -> RefreshError {
    let verdict = match &error {
        Error::Refused(refusal) => refused(refusal),
        Error::Transport(transport) if transport.surely_not_sent() => SessionEffect::Keep,
        Error::Transport(_) | Error::Malformed { .. } => SessionEffect::Ambiguous,
        // These errors occur before the request is sent.
        Error::Config(_)
        | Error::Input(_)
        | Error::Identity(_)
        | Error::Discovery(_)
        | Error::Callback(_)
        | Error::Denied(_)
        | Error::Authority(_)
        | Error::NonceMissing(_)
        | Error::Dpop(_)
        | Error::Session(_)
        | Error::Xrpc(_) => SessionEffect::Keep,
    };
    effect(error, verdict)
}

/// Effect of a refused token request. An OAuth error code proves that the server spent no token. A
/// status without a code may come from a gateway that lost the server's successful response.
fn refused(refusal: &Refusal) -> SessionEffect {
    match (refusal.status.as_u16(), refusal.error.as_deref()) {
        (400 | 401, Some("invalid_grant")) => SessionEffect::Dead,
        (429, _) | (400..=499, Some(_)) => SessionEffect::Keep,
        (500..=599, Some("server_error" | "temporarily_unavailable" | "slow_down")) => {
            SessionEffect::Keep
        }
        _ => SessionEffect::Ambiguous,
    }
}

/// Keeps the cause alone: `effect` and `revocation` are dropped.
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
