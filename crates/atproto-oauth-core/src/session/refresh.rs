//! Spends a session's refresh token for new tokens.
//!
//! ```text
//! Start ──▶ Verify ── issuer still speaks for the account ──▶ Token ── granted ──▶ Refreshed
//!                                                               │ must not be used
//!                                                               ▼
//!                                                            CleanUp ──▶ error
//! ```
//!
//! A refresh token is good for one use, so spending it is the last request before the new session
//! is handed out: it must be stored before anything else is done. What a failure means for the
//! session is told by [`SessionEffect`]; a transport that lost the answer can't tell whether the
//! token was spent.
//!
//! When it ends in `Ok`: the account's own server still names this issuer, and the new tokens are
//! for the same account.
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

/// Spends a session's refresh token: ends in the session that takes its place.
pub struct Refresh {
    config: Arc<Config>,
    session: Session,
    state: State,
}

/// The session that takes the place of the one that was refreshed.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "the old refresh token is spent: store the new session before anything else"]
pub struct Refreshed {
    /// The session.
    pub session: Session,
    /// A rule that the server broke although the tokens are good, such as
    /// [`Error::NonceMissing`] under [`NoncePolicy::Strict`]. To be told after the session is
    /// stored.
    pub violation: Option<Error>,
}

/// A refresh that did not end in a session to go on with.
#[derive(Clone, Debug, Error)]
#[error("{error}{}", after_revocation(.revocation.as_ref()))]
#[non_exhaustive]
pub struct RefreshError {
    /// Why.
    pub error: Error,
    /// What became of tokens that the server had issued and that must not be used. `None` if there
    /// were none; on an error the server has a session that nobody uses, until it expires.
    pub revocation: Option<Result<Revocation, Box<Error>>>,
    /// What it means for the session that was to be refreshed.
    pub effect: SessionEffect,
}

/// What a failure means for a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must decide on each of them")]
pub enum SessionEffect {
    /// The refresh token was surely not spent: keep the session, try again later.
    Keep,
    /// The refresh token may be spent: keep the session, use its access token while it lasts, and
    /// try once more; if that is refused, the session was lost on the way.
    Ambiguous,
    /// The account has moved to another authorization server: its user must log in again.
    NeedsReauth,
    /// The session is over.
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
        // Another client can't use the session, but that is no fault of the session.
        self.config
            .check_client_id(&self.session.client_id)
            .map_err(|error| effect(error, SessionEffect::Keep))?;
        self.session
            .client_auth(&self.config)
            .map_err(|error| effect(error, SessionEffect::Keep))?;
        if !self.session.can_refresh() {
            let over = self.session.is_expired(cx.now());
            let verdict = if over { SessionEffect::Dead } else { SessionEffect::Keep };
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

    /// Tokens that must not be used: the session is over, with all its tokens.
    fn clean_up(
        &self,
        issued: &Issued,
        endpoint: Option<url::Url>,
        error: Error,
    ) -> Result<State, RefreshError> {
        let auth = match self.session.client_auth(&self.config) {
            Ok(auth) => auth,
            Err(unable) => {
                return Err(RefreshError { revocation: Some(Err(unable.into())), ..dead(error) });
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
                        // The tokens are good, and the old ones spent: they must not get lost.
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

/// The session that takes the place of the old one.
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
        // A server that gives no new one means the old one to go on.
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

/// Nothing was spent yet, and what can't be found out is never held against the session.
fn before_spending(error: Error) -> RefreshError {
    let moved = matches!(error, Error::Authority(AuthorityError::IssuerOfAccount { .. }));
    effect(error, if moved { SessionEffect::NeedsReauth } else { SessionEffect::Keep })
}

/// What the answer to a refresh, or the lack of one, says about the token that was sent. Only an
/// answer that proves that it was not spent keeps the session as it is.
fn while_spending(error: Error) -> RefreshError {
    let verdict = match &error {
        Error::Refused(refusal) => refused(refusal),
        Error::Transport(transport) if transport.surely_not_sent() => SessionEffect::Keep,
        Error::Transport(_) | Error::Malformed { .. } => SessionEffect::Ambiguous,
        // What keeps the request from being made.
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

/// An OAuth error says that the server did not act; a bare status may be a gateway's, which can
/// have lost the answer of a server that did.
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

/// The cause alone: what it means for the session is lost.
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
