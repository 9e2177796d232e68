//! Spends a session's refresh token for new tokens.
//!
//! ```text
//! Start ──▶ Verify ── issuer still speaks for the account ──▶ Token ── granted ──▶ Session
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
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_dpop::{Dpop, DpopReply};
use atproto_sansio::{Budget, Cx, Machine, Phase, UnixTime};
use thiserror::Error;

use crate::client::{Client, NoncePolicy};
use crate::error::{AuthorityError, EndpointName, Error, SessionError};
use crate::revoke::RevokeTokens;
use crate::session::Session;
use crate::token::{Grant, Received, Token};
use crate::verify::{Verified, Verify};

/// Spends a session's refresh token: ends in the session that takes its place.
pub struct Refresh {
    client: Client,
    session: Session,
    state: State,
}

/// A refresh that did not end in a session to go on with, or not without a remark.
#[derive(Clone, Debug, Error)]
#[error("{error}")]
#[must_use = "the refresh token may be spent"]
pub struct RefreshError {
    /// Why.
    #[source]
    pub error: Error,
    /// What it means for the session that was to be refreshed.
    pub effect: SessionEffect,
    /// The new session, if there is one all the same: store it before anything else.
    pub session: Option<Box<Session>>,
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
    /// The session goes on as the new one that comes with the error.
    Replaced,
    /// The account has moved to another authorization server: its user must log in again.
    NeedsReauth,
    /// The session is over.
    Dead,
}

enum State {
    Start,
    Verify(Box<Verify>),
    Token { asked_at: UnixTime, token: Box<Dpop<Token>>, verified: Box<Verified> },
    CleanUp { revoke: Box<RevokeTokens>, error: Option<RefreshError> },
}

impl Refresh {
    pub(crate) fn new(client: Client, session: Session) -> Self {
        Self { client, session, state: State::Start }
    }

    fn start(&self) -> Result<State, RefreshError> {
        self.client.check_session(&self.session).map_err(dead)?;
        if !self.session.can_refresh() {
            return Err(dead(SessionError::NoRefreshToken.into()));
        }
        Ok(State::Verify(Box::new(Verify::new(
            self.client.resolver(),
            self.session.did.clone(),
            self.session.issuer.clone(),
            Some(self.session.pds.clone()),
            self.client.development(),
        ))))
    }

    fn spend(&self, verified: Verified, now: UnixTime) -> Result<State, RefreshError> {
        let refresh_token = self.session.refresh_token.clone();
        let token = Token {
            endpoint: verified.server.token_endpoint.clone(),
            auth: self.client.auth(),
            grant: Grant::Refresh {
                refresh_token: refresh_token
                    .ok_or_else(|| dead(SessionError::NoRefreshToken.into()))?,
            },
            development: self.client.development(),
        };
        let token = Box::new(Dpop::new(token, &self.session.dpop_key));
        Ok(State::Token { asked_at: now, token, verified: Box::new(verified) })
    }

    /// Tokens that must not be used: the old ones are spent, so the session is over.
    fn clean_up(&self, received: &Received, endpoint: Option<url::Url>, error: Error) -> State {
        let revoke = RevokeTokens::new(
            endpoint,
            self.client.auth(),
            &self.session.dpop_key,
            received.refresh_token.clone(),
            received.access_token.clone(),
            self.client.development(),
        );
        State::CleanUp { revoke: Box::new(revoke), error: Some(dead(error)) }
    }
}

impl Machine for Refresh {
    type Output = Session;
    type Error = RefreshError;

    fn budget(&self) -> Budget {
        Budget::new(10, Duration::from_secs(45))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Session, RefreshError>> {
        loop {
            match &mut self.state {
                State::Start => self.state = self.start()?,
                State::Verify(verify) => {
                    let verified = ready!(verify.poll(cx)).map_err(before_spending)?;
                    self.state = self.spend(verified, cx.now())?;
                }
                State::Token { asked_at, token, verified } => {
                    let at = *asked_at;
                    let DpopReply { output: received, nonce_missing } =
                        ready!(token.poll(cx)).map_err(while_spending)?;
                    let endpoint = verified.server.revocation_endpoint.clone();
                    match renew(&self.session, &received, verified, at) {
                        Err(error) => self.state = self.clean_up(&received, endpoint, error),
                        // The tokens are good, and the old ones spent: they must not get lost.
                        Ok(session)
                            if nonce_missing
                                && self.client.nonce_policy() == NoncePolicy::Strict =>
                        {
                            return Poll::Ready(Err(RefreshError {
                                error: Error::NonceMissing(EndpointName::Token),
                                effect: SessionEffect::Replaced,
                                session: Some(Box::new(session)),
                            }));
                        }
                        Ok(session) => return Poll::Ready(Ok(session)),
                    }
                }
                State::CleanUp { revoke, error } => {
                    let _ = ready!(revoke.poll(cx));
                    let error = error.take().expect("a refresh is not polled after its end");
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}

/// The session that takes the place of the old one.
fn renew(
    old: &Session,
    received: &Received,
    verified: &Verified,
    at: UnixTime,
) -> Result<Session, Error> {
    let granted = received.check(at)?;
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
    RefreshError { error, effect, session: None }
}

fn dead(error: Error) -> RefreshError {
    effect(error, SessionEffect::Dead)
}

/// Nothing was spent yet, and what can't be found out is never held against the session.
fn before_spending(error: Error) -> RefreshError {
    let moved = matches!(error, Error::Authority(AuthorityError::IssuerOfAccount { .. }));
    effect(error, if moved { SessionEffect::NeedsReauth } else { SessionEffect::Keep })
}

/// What the answer to a refresh, or the lack of one, says about the token that was sent.
fn while_spending(error: Error) -> RefreshError {
    let verdict = match &error {
        Error::Refused(refusal) if refusal.error.as_deref() == Some("invalid_grant") => {
            SessionEffect::Dead
        }
        // A gateway may have lost the answer of a server that did act.
        Error::Refused(refusal) if refusal.status.is_server_error() && refusal.error.is_none() => {
            SessionEffect::Ambiguous
        }
        Error::Transport(transport) => match transport.phase {
            Phase::NotSent | Phase::Blocked(_) | Phase::Unsupported => SessionEffect::Keep,
            Phase::MaybeSent | Phase::Truncated | Phase::TooLarge | Phase::TimedOut => {
                SessionEffect::Ambiguous
            }
        },
        Error::Malformed { .. } => SessionEffect::Ambiguous,
        Error::Refused(_)
        | Error::Input(_)
        | Error::Identity(_)
        | Error::Discovery(_)
        | Error::Callback(_)
        | Error::Denied(_)
        | Error::Authority(_)
        | Error::NonceMissing(_)
        | Error::Dpop(_)
        | Error::Session(_) => SessionEffect::Keep,
    };
    effect(error, verdict)
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh").field("session", &self.session).finish_non_exhaustive()
    }
}
