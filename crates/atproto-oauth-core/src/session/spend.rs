//! Spends the refresh token of a session at an issuer that was verified, and says what a failure
//! means for the session.
//!
//! ```text
//! Start ──▶ Token ── granted ──▶ Refreshed
//!             │ rejected tokens
//!             ▼
//!          CleanUp ── revocation ended ──▶ error
//! ```
//!
//! RFC 6749 sections 5.2 and 6; RFC 7523; RFC 9449.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_dpop::{Dpop, DpopReply};
use atproto_sansio::{Cx, Machine, Step, Steps, UnixTime};

use crate::client::config::Config;
use crate::discovery::verify::Verified;
use crate::endpoints::form::FormEndpoint;
use crate::endpoints::refusal::Refusal;
use crate::endpoints::token::{Grant, Issued, Limits, Token};
use crate::error::{AuthorityError, EndpointName, Error, SessionError};
use crate::session::refresh::{RefreshError, Refreshed, SessionEffect};
use crate::session::revoke::{self, RevokeTokens};
use crate::session::{Refused, Session};

/// Machine that exchanges the refresh token of a session for a new session.
pub(crate) struct Spend {
    old: Old,
    steps: Steps<State>,
}

/// The client's settings, and the session whose refresh token is spent.
struct Old {
    config: Arc<Config>,
    session: Session,
    limits: Limits,
}

enum State {
    Start(Box<Verified>),
    Token { asked_at: UnixTime, token: Box<Dpop<Token>>, verified: Box<Verified> },
    CleanUp { revoke: Box<RevokeTokens>, error: Box<Error>, deadline: Duration },
}

/// Time after which a second refusal with an undefined error code counts: the first one may come
/// from a short fault of the server.
const PATIENCE: Duration = Duration::from_secs(45);

impl Spend {
    pub(crate) fn new(config: Arc<Config>, session: Session, verified: Verified) -> Self {
        let old = Old { config, session, limits: Limits::default() };
        Self { old, steps: Steps::begin(State::Start(Box::new(verified))) }
    }

    /// Sends no attempt beyond these limits.
    pub(crate) fn within(mut self, limits: Limits) -> Self {
        self.old.limits = limits;
        self
    }
}

impl Machine for Spend {
    type Output = Refreshed;
    type Error = RefreshError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Refreshed, RefreshError>> {
        let Self { old, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Start(verified) => {
                    let token = Box::new(old.token(&verified)?);
                    Step::Next(State::Token { asked_at: cx.now(), token, verified })
                }
                State::Token { asked_at, mut token, verified } => match token.poll(cx) {
                    Poll::Pending => Step::Wait(State::Token { asked_at, token, verified }),
                    Poll::Ready(Err(error)) => {
                        let error = error.of_single_use(EndpointName::Token);
                        return Err(old.while_spending(error, cx.now()));
                    }
                    Poll::Ready(Ok(reply)) => old.renew(reply, &verified, asked_at, cx)?,
                },
                State::CleanUp { mut revoke, error, deadline } => {
                    match cx.extend_until(deadline, |cx| revoke.poll(cx)) {
                        Poll::Pending => Step::Wait(State::CleanUp { revoke, error, deadline }),
                        Poll::Ready(revoked) => {
                            let revocation = Some(revoked.map_err(Box::new));
                            return Err(RefreshError { revocation, ..dead(*error) });
                        }
                    }
                }
            })
        })
    }
}

impl Old {
    fn token(&self, verified: &Verified) -> Result<Dpop<Token>, RefreshError> {
        let refresh_token = self.session.refresh_token.clone();
        let refresh_token =
            refresh_token.ok_or_else(|| dead(SessionError::NoRefreshToken.into()))?;
        let auth = self.session.client_auth(&self.config).map_err(RefreshError::keep)?;
        let endpoint = FormEndpoint {
            url: verified.server.token_endpoint.clone(),
            auth,
            reach: self.config.reach(),
        };
        let token =
            Token { endpoint, grant: Grant::Refresh { refresh_token }, limits: self.limits };
        Ok(Dpop::new(token, &self.session.dpop_key))
    }

    /// Ends in the new session, or revokes the tokens if they must not be used. A missing nonce is
    /// no error here: the old refresh token is spent, so an error would lose the only usable tokens.
    fn renew(
        &self,
        reply: DpopReply<Issued>,
        verified: &Verified,
        asked_at: UnixTime,
        cx: &Cx<'_>,
    ) -> Result<Step<State, Refreshed>, RefreshError> {
        let DpopReply { output: issued, nonce_missing } = reply;
        match self.new_session(&issued, verified, asked_at) {
            Ok(session) => {
                let violation = nonce_missing.then_some(Error::NonceMissing(EndpointName::Token));
                Ok(Step::Done(Refreshed { session, violation }))
            }
            Err(error) => self.clean_up(&issued, verified, error, cx).map(Step::Next),
        }
    }

    /// Checks the token response, and makes the new session from it and the old one.
    fn new_session(
        &self,
        issued: &Issued,
        verified: &Verified,
        at: UnixTime,
    ) -> Result<Session, Error> {
        let granted = issued.check(at)?;
        if granted.sub != self.session.did {
            let (expected, found) = (self.session.did.clone(), granted.sub);
            return Err(AuthorityError::SubjectMismatch { expected, found }.into());
        }
        let old = self.session.clone();
        Ok(Session {
            auth: self.config.present_method(&old.auth),
            pds: verified.pds.clone(),
            scopes: granted.scopes,
            access_token: granted.access_token,
            // Without a new refresh token, the old one stays valid (RFC 6749 section 6).
            refresh_token: granted.refresh_token.or(old.refresh_token),
            expires_at: granted.expires_at,
            revocation_endpoint: verified.server.revocation_endpoint.clone(),
            updated_at: at,
            last_verified_at: at,
            refused: None,
            ..old
        })
    }

    /// Revokes rejected tokens. The session ends as `Dead`, because its refresh token is spent.
    fn clean_up(
        &self,
        issued: &Issued,
        verified: &Verified,
        error: Error,
        cx: &Cx<'_>,
    ) -> Result<State, RefreshError> {
        let auth = match self.session.client_auth(&self.config) {
            Ok(auth) => auth,
            Err(no_auth) => {
                return Err(RefreshError { revocation: Some(Err(no_auth.into())), ..dead(error) });
            }
        };
        let endpoint = verified.server.revocation_endpoint.clone();
        // The old refresh token ends the whole session at most servers.
        let old = self.session.refresh_token.clone().map(|token| ("refresh_token", token));
        let (mut tokens, is_issued) = (issued.tokens(), issued.has_refresh_token());
        tokens.splice(0..0, old.filter(|_| !is_issued));
        let revoke = RevokeTokens::new(
            endpoint.map(|url| FormEndpoint { url, auth, reach: self.config.reach() }),
            &self.session.dpop_key,
            tokens,
        );
        let deadline = cx.elapsed().saturating_add(revoke::TIME);
        Ok(State::CleanUp { revoke: Box::new(revoke), error: Box::new(error), deadline })
    }

    /// Effect of an error of the token request. The effect is `Keep` only if the error proves that
    /// the refresh token was not spent.
    fn while_spending(&self, error: Error, now: UnixTime) -> RefreshError {
        let effect = match &error {
            Error::Refused(refusal) => match verdict(refusal) {
                Verdict::Spent => SessionEffect::Dead,
                Verdict::NotSpent => SessionEffect::Keep,
                Verdict::Lost => SessionEffect::Ambiguous,
                Verdict::Undefined(code) => return self.refused(code.to_owned(), error, now),
            },
            Error::Unanswered { .. } | Error::Malformed { .. } => SessionEffect::Ambiguous,
            // These errors occur before the request is sent, or prove that the server has not acted
            // on it.
            Error::Config(_)
            | Error::Input(_)
            | Error::Identity(_)
            | Error::Discovery(_)
            | Error::Callback(_)
            | Error::Denied(_)
            | Error::Authority(_)
            | Error::NonceMissing(_)
            | Error::NonceRetryExhausted(_)
            | Error::Transport(_)
            | Error::Dpop(_)
            | Error::Session(_)
            | Error::Xrpc(_)
            | Error::Store(_) => SessionEffect::Keep,
        };
        RefreshError::new(error, effect)
    }

    /// Effect of a refusal with a code that no specification defines: ambiguous the first time. If
    /// the same refusal comes again some time later, the session needs a new login.
    fn refused(&self, code: String, error: Error, now: UnixTime) -> RefreshError {
        let before = self.session.refused.clone().filter(|before| before.error == code);
        let is_again = before.as_ref().is_some_and(|before| now.since(before.at) >= PATIENCE);
        let refused = before.unwrap_or(Refused { error: code, at: now });
        let session = Session { refused: Some(refused), ..self.session.clone() };
        let effect = if is_again { SessionEffect::NeedsReauth } else { SessionEffect::Ambiguous };
        RefreshError { session: Some(Box::new(session)), ..RefreshError::new(error, effect) }
    }
}

/// Meaning of a refused token request for the refresh token.
enum Verdict<'a> {
    /// The token is spent or revoked.
    Spent,
    NotSpent,
    /// The answer may come from a gateway that lost the server's successful response.
    Lost,
    /// The error code is defined nowhere.
    Undefined(&'a str),
}

fn verdict(refusal: &Refusal) -> Verdict<'_> {
    match (refusal.status.as_u16(), refusal.error.as_deref()) {
        (400 | 401, Some("invalid_grant")) => Verdict::Spent,
        (429, _) => Verdict::NotSpent,
        (400..=499, Some(code)) if DEFINED.contains(&code) => Verdict::NotSpent,
        (400..=499, Some(code)) => Verdict::Undefined(code),
        (500..=599, Some("server_error" | "temporarily_unavailable" | "slow_down")) => {
            Verdict::NotSpent
        }
        _ => Verdict::Lost,
    }
}

/// Error codes that a server answers with before it looks at the refresh token, or that mean
/// «later» (RFC 6749 section 5.2; RFC 7523 section 3.2; RFC 9449 sections 5 and 8).
const DEFINED: [&str; 9] = [
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_request",
    "invalid_scope",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "use_dpop_nonce",
];

fn dead(error: Error) -> RefreshError {
    RefreshError::new(error, SessionEffect::Dead)
}
