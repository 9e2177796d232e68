//! Finishes a login: exchanges the callback's code for tokens, and verifies the account's issuer.
//!
//! ```text
//! Start ── callback checked ──▶ Token ── granted ──▶ Check ── issuer verified ──▶ LoggedIn
//!                                 │      rejected tokens      │
//!                                 └────────▶ CleanUp ◀────────┘
//!                                               └── revocation ended ──▶ error
//! ```
//!
//! If the login knows the account, the issuer check runs in parallel to the token request, else
//! after it. The code is sent again only if the server's response demands another DPoP nonce or
//! shows a wrong clock, because a server revokes the tokens of a code that is used twice.
//! If the machine ends in `Ok`: `state` and `iss` fit the login; the tokens are bound to its key,
//! grant `atproto`, and are for the requested account; and the account's PDS names this issuer.
//!
//! atproto OAuth, «Callback and Access Token Request» and «Identity Authentication».

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_dpop::{Dpop, DpopReply};
use atproto_identity::Did;
use atproto_sansio::{Budget, Cx, Held, Machine, UnixTime};
use thiserror::Error;

use crate::client::config::{Config, NoncePolicy};
use crate::discovery::verify::{self, Verified, Verify};
use crate::endpoints::form::FormEndpoint;
use crate::endpoints::token::{Grant, Granted, Issued, Token};
use crate::error::{AuthorityError, EndpointName, Error};
use crate::login::callback::CallbackParams;
use crate::login::pending::Pending;
use crate::login::pkce;
use crate::session::Session;
use crate::session::revoke::{Revocation, RevokeTokens, after_revocation};
use crate::stored::Version;

/// Exchanges the code for tokens, verifies the account's issuer, and ends in a session.
///
/// If the tokens must not be used, the machine revokes them and ends in [`CallbackError`].
pub struct ExchangeCode {
    config: Arc<Config>,
    pending: Pending,
    params: CallbackParams,
    state: State,
}

/// The session of a finished login, and the application's text.
#[derive(Clone)]
#[non_exhaustive]
#[must_use = "without the session, its tokens can't be used, refreshed or revoked"]
pub struct LoggedIn {
    /// New session: store it under [`Session::did`] and [`Session::session_id`].
    pub session: Session,
    /// Text that the application gave to [`Authorize::app_state`](crate::Authorize::app_state).
    pub app_state: Option<String>,
}

/// Failure of a login after the callback, and the state of tokens that were issued all the same.
#[derive(Clone, Error)]
#[error("{error}{}", after_revocation(.revocation.as_ref()))]
#[non_exhaustive]
pub struct CallbackError {
    /// Cause of the failure.
    pub error: Error,
    /// Revocation of tokens that the server issued and that must not be used.
    ///
    /// `None`: the client received no tokens, so it revoked none. `Some(Ok)`: the tokens are
    /// revoked, or the server has no revocation endpoint. `Some(Err)`: revocation failed, and the
    /// tokens stay valid until they expire.
    pub revocation: Option<Result<Revocation, Box<Error>>>,
    /// Text that the application gave to [`Authorize::app_state`](crate::Authorize::app_state).
    pub app_state: Option<String>,
}

enum State {
    Start,
    Token(Box<TokenState>),
    Check(Box<CheckState>),
    CleanUp { revoke: Box<RevokeTokens>, error: Box<Error> },
    Ended,
}

/// Cause of a failed login, and the revocation of its tokens, as in [`CallbackError`].
struct Failed {
    error: Error,
    revocation: Option<Result<Revocation, Box<Error>>>,
}

/// The token request, and in parallel the issuer check if the account is known.
struct TokenState {
    asked_at: UnixTime,
    token: Dpop<Token>,
    check: Option<Held<Verify>>,
}

/// The received tokens, until the issuer check ends.
struct CheckState {
    issued: Issued,
    granted: Granted,
    check: Held<Verify>,
    deadline: Duration,
}

impl ExchangeCode {
    pub(crate) fn new(config: Arc<Config>, pending: Pending, params: CallbackParams) -> Self {
        Self { config, pending, params, state: State::Start }
    }

    /// Checks `client_id` and callback, and makes the token request.
    fn start(&self, now: UnixTime) -> Result<TokenState, Error> {
        let pending = &self.pending;
        self.config.check_client_id(&pending.client_id)?;
        let code = self.params.check(pending, now)?;
        let token = Token {
            endpoint: FormEndpoint {
                url: pending.server.token_endpoint.clone(),
                auth: pending.client_auth(&self.config)?,
                reach: self.config.reach(),
            },
            grant: Grant::Code {
                code: code.clone(),
                redirect_uri: pending.redirect_uri.to_string(),
                code_verifier: pending.code_verifier.clone(),
            },
        };
        Ok(TokenState {
            asked_at: now,
            token: Dpop::new(token, &pending.dpop_key).with_hint(pending.nonce.clone()),
            check: pending.expected.clone().map(|did| self.verify(did)),
        })
    }

    fn verify(&self, did: Did) -> Held<Verify> {
        Held::new(Verify::new(&self.config, did, self.pending.server.issuer.clone(), None))
    }

    /// Compares the token response with the pending login: account, scopes, type and nonce policy.
    fn grant(
        &self,
        issued: &Issued,
        asked_at: UnixTime,
        nonce_missing: bool,
    ) -> Result<Granted, Error> {
        let granted = issued.check(asked_at)?;
        if let Some(expected) = &self.pending.expected
            && *expected != granted.sub
        {
            let (expected, found) = (expected.clone(), granted.sub);
            return Err(AuthorityError::SubjectMismatch { expected, found }.into());
        }
        if nonce_missing && self.config.nonce_policy == NoncePolicy::Strict {
            return Err(Error::NonceMissing(EndpointName::Token));
        }
        Ok(granted)
    }

    fn clean_up(&self, issued: &Issued, error: Error) -> Result<State, Failed> {
        let auth = match self.pending.client_auth(&self.config) {
            Ok(auth) => auth,
            Err(no_auth) => return Err(Failed { error, revocation: Some(Err(no_auth.into())) }),
        };
        let endpoint = self.pending.server.revocation_endpoint.clone();
        let revoke = RevokeTokens::new(
            endpoint.map(|url| FormEndpoint { url, auth, reach: self.config.reach() }),
            &self.pending.dpop_key,
            issued.refresh_token.clone(),
            issued.access_token.clone(),
        );
        Ok(State::CleanUp { revoke: Box::new(revoke), error: Box::new(error) })
    }

    fn session(&self, granted: Granted, verified: Verified, cx: &mut Cx<'_>) -> Session {
        let pending = &self.pending;
        Session {
            version: Version,
            session_id: pkce::random_name(cx.entropy()),
            did: granted.sub,
            handle: pending.handle.clone(),
            client_id: pending.client_id.clone(),
            auth: pending.auth.clone(),
            issuer: pending.server.issuer.clone(),
            pds: verified.pds,
            scopes: granted.scopes,
            access_token: granted.access_token,
            refresh_token: granted.refresh_token,
            expires_at: granted.expires_at,
            dpop_key: pending.dpop_key.clone(),
            revocation_endpoint: verified.server.revocation_endpoint,
            created_at: cx.now(),
            updated_at: cx.now(),
            last_verified_at: cx.now(),
            unknown: serde_json::Map::new(),
        }
    }

    fn advance(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Session, Failed>> {
        loop {
            match &mut self.state {
                State::Start => self.state = State::Token(Box::new(self.start(cx.now())?)),
                State::Token(exchange) => {
                    let answer = exchange.token.poll(cx);
                    if let Some(check) = &mut exchange.check {
                        check.advance(cx);
                        // If the issuer check fails before the code is in flight, the login fails
                        // without the token request.
                        let unsent = answer.is_pending() && !exchange.token.is_in_flight(cx);
                        if unsent && let Some(error) = check.take_error() {
                            return Poll::Ready(Err(error.into()));
                        }
                    }
                    let DpopReply { output: issued, nonce_missing } = ready!(answer)?;
                    let (asked_at, check) = (exchange.asked_at, exchange.check.take());
                    self.state = match self.grant(&issued, asked_at, nonce_missing) {
                        Ok(granted) => {
                            let check = check.unwrap_or_else(|| self.verify(granted.sub.clone()));
                            let deadline = cx.elapsed().saturating_add(verify::TIME);
                            State::Check(Box::new(CheckState { issued, granted, check, deadline }))
                        }
                        Err(error) => self.clean_up(&issued, error)?,
                    };
                }
                State::Check(checking) => {
                    if !cx.until(checking.deadline, |cx| checking.check.advance(cx)) {
                        return Poll::Pending;
                    }
                    let verdict = checking.check.take().expect("the issuer check has ended");
                    let State::Check(checked) = std::mem::replace(&mut self.state, State::Ended)
                    else {
                        unreachable!("the state is `Check`, as matched above")
                    };
                    match verdict {
                        Ok(verified) => {
                            return Poll::Ready(Ok(self.session(checked.granted, verified, cx)));
                        }
                        Err(error) => self.state = self.clean_up(&checked.issued, error)?,
                    }
                }
                State::CleanUp { revoke, error } => {
                    let revocation = Some(ready!(revoke.poll(cx)).map_err(Box::new));
                    let error = (**error).clone();
                    return Poll::Ready(Err(Failed { error, revocation }));
                }
                State::Ended => unreachable!("a login is not polled after its end"),
            }
        }
    }
}

impl Machine for ExchangeCode {
    type Output = LoggedIn;
    type Error = CallbackError;

    fn budget(&self) -> Budget {
        Budget::new(16, Duration::from_secs(60))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<LoggedIn, CallbackError>> {
        let result = ready!(self.advance(cx));
        self.state = State::Ended;
        let app_state = self.pending.app_state.clone();
        Poll::Ready(match result {
            Ok(session) => Ok(LoggedIn { session, app_state }),
            Err(Failed { error, revocation }) => {
                Err(CallbackError { error, revocation, app_state })
            }
        })
    }
}

/// For errors before the client has received tokens, so that no tokens can be revoked.
impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, revocation: None }
    }
}

/// Keeps the cause alone: `revocation` and `app_state` are dropped.
impl From<CallbackError> for Error {
    fn from(error: CallbackError) -> Self {
        error.error
    }
}

impl fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedIn").field("session", &self.session).finish_non_exhaustive()
    }
}

impl fmt::Debug for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackError")
            .field("error", &self.error)
            .field("revocation", &self.revocation)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ExchangeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Start => "Start",
            State::Token(_) => "Token",
            State::Check(_) => "Check",
            State::CleanUp { .. } => "CleanUp",
            State::Ended => "Ended",
        };
        f.debug_struct("ExchangeCode").field("state", &state).finish_non_exhaustive()
    }
}
