//! Finishes a login: exchanges the callback's code for tokens, and verifies the account's issuer.
//!
//! ```text
//! Start ── callback checked ──▶ Send ── granted ──▶ Check ── issuer verified ──▶ LoggedIn
//!                                 │      rejected tokens      │
//!                                 └────────▶ CleanUp ◀────────┘
//!                                               └── revocation ended ──▶ error
//! ```
//!
//! If the login knows the account, the issuer check runs in parallel to the token request, else
//! after it. The code is sent again only if the server's response demands another DPoP nonce or
//! shows a wrong clock, because a server revokes the tokens of a code that is used twice. Once the
//! code is spent, check and revocation have times of their own.
//! If the machine ends in `Ok`: `state` and `iss` fit the login; the tokens are bound to its key,
//! grant `atproto`, and are for the requested account; and the account's PDS names this issuer.
//!
//! atproto OAuth, «Callback and Access Token Request» and «Identity Authentication».

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_dpop::Dpop;
use atproto_identity::Did;
use atproto_sansio::{Budget, Cx, Held, Machine, Step, Steps, UnixTime};
use thiserror::Error;

use crate::client::config::Config;
use crate::discovery::verify::{self, Verified, Verify, Wanted};
use crate::endpoints::form::FormEndpoint;
use crate::endpoints::token::{Grant, Granted, Issued, Limits, Token};
use crate::error::{AuthorityError, EndpointName, Error};
use crate::login::callback::CallbackParams;
use crate::login::pending::Pending;
use crate::login::pkce;
use crate::login::send_code::{CodeSent, SendCode};
use crate::session::Session;
use crate::session::revoke::{self, Revocation, RevokeTokens, after_revocation};
use crate::stored::Version;

/// Exchanges the code for tokens, verifies the account's issuer, and ends in a session.
///
/// If the tokens must not be used, the machine revokes them and ends in [`CallbackError`].
pub struct ExchangeCode {
    login: Login,
    steps: Steps<State>,
}

/// The client's settings and the login that is finished.
struct Login {
    config: Arc<Config>,
    pending: Pending,
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
    /// Rule that the server broke although its tokens are usable: [`Error::NonceMissing`]. Report it
    /// after the session is stored. Under [`NoncePolicy::Strict`](crate::NoncePolicy::Strict) the
    /// login fails with it instead.
    pub violation: Option<Error>,
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
    Start(CallbackParams),
    Send { asked_at: UnixTime, send: Box<SendCode> },
    Check(Box<CheckState>),
    CleanUp { revoke: Box<RevokeTokens>, error: Box<Error>, deadline: Duration },
}

/// The session of a finished login, with the rule that the server broke.
struct Finished {
    session: Session,
    violation: Option<Error>,
}

/// Cause of a failed login, and the revocation of its tokens, as in [`CallbackError`].
struct Failed {
    error: Error,
    revocation: Option<Result<Revocation, Box<Error>>>,
}

/// The received tokens, until the issuer check ends.
struct CheckState {
    issued: Box<Issued>,
    granted: Granted,
    violation: Option<Error>,
    check: Box<Held<Verify>>,
    deadline: Duration,
}

impl ExchangeCode {
    pub(crate) fn new(config: Arc<Config>, pending: Pending, params: CallbackParams) -> Self {
        Self { login: Login { config, pending }, steps: Steps::begin(State::Start(params)) }
    }
}

impl Machine for ExchangeCode {
    type Output = LoggedIn;
    type Error = CallbackError;

    fn budget(&self) -> Budget {
        Budget::new(16, Duration::from_secs(60))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<LoggedIn, CallbackError>> {
        let Self { login, steps } = self;
        let result = steps.run(|state| match state {
            State::Start(params) => login.start(&params, cx.now()),
            State::Send { asked_at, send } => login.send(asked_at, send, cx),
            State::Check(check) => login.check(check, cx),
            State::CleanUp { mut revoke, error, deadline } => {
                match cx.extend_until(deadline, |cx| revoke.poll(cx)) {
                    Poll::Pending => Ok(Step::Wait(State::CleanUp { revoke, error, deadline })),
                    Poll::Ready(revoked) => {
                        let revocation = Some(revoked.map_err(Box::new));
                        Err(Failed { error: *error, revocation })
                    }
                }
            }
        });
        let app_state = || login.pending.app_state.clone();
        result.map(|result| match result {
            Ok(Finished { session, violation }) => {
                Ok(LoggedIn { session, app_state: app_state(), violation })
            }
            Err(Failed { error, revocation }) => {
                Err(CallbackError { error, revocation, app_state: app_state() })
            }
        })
    }
}

impl Login {
    /// Checks `client_id` and callback, and makes the token request.
    fn start(
        &self,
        params: &CallbackParams,
        now: UnixTime,
    ) -> Result<Step<State, Finished>, Failed> {
        let pending = &self.pending;
        self.config.check_client_id(&pending.client_id)?;
        let code = params.check(pending, now)?;
        let token = Token {
            endpoint: FormEndpoint {
                url: pending.server.token_endpoint.clone(),
                auth: pending.client_auth(&self.config)?,
                reach: self.config.reach(),
            },
            grant: Grant::Code {
                code: code.clone(),
                redirect_uri: pending.redirect_uri.as_str().to_owned(),
                code_verifier: pending.code_verifier.clone(),
            },
            limits: Limits::default(),
        };
        let token = Dpop::new(token, &pending.dpop_key).with_hint(pending.nonce.clone());
        let check = pending.expected.clone().map(|did| self.verify(did));
        let send = Box::new(SendCode::new(token, check));
        Ok(Step::Next(State::Send { asked_at: now, send }))
    }

    fn verify(&self, did: Did) -> Verify {
        let Pending { server, handle, .. } = &self.pending;
        let handle = Wanted::Handle(handle.clone());
        Verify::new(&self.config, did, server.issuer.clone(), None, handle)
    }

    fn send(
        &self,
        asked_at: UnixTime,
        mut send: Box<SendCode>,
        cx: &mut Cx<'_>,
    ) -> Result<Step<State, Finished>, Failed> {
        let Poll::Ready(Ok(sent)) = send.poll(cx) else {
            return Ok(Step::Wait(State::Send { asked_at, send }));
        };
        let (issued, nonce_missing, check) = match sent {
            CodeSent::Spared(error) | CodeSent::NoTokens(error) => return Err((*error).into()),
            CodeSent::Tokens { issued, nonce_missing, check } => (issued, nonce_missing, check),
        };
        Ok(Step::Next(match self.grant(&issued, asked_at, nonce_missing) {
            Ok((granted, violation)) => {
                let check =
                    check.unwrap_or_else(|| Box::new(Held::new(self.verify(granted.sub.clone()))));
                let deadline = cx.elapsed().saturating_add(verify::TIME);
                State::Check(Box::new(CheckState { issued, granted, violation, check, deadline }))
            }
            Err(error) => self.clean_up(&issued, error, cx)?,
        }))
    }

    fn check(
        &self,
        mut state: Box<CheckState>,
        cx: &mut Cx<'_>,
    ) -> Result<Step<State, Finished>, Failed> {
        let verdict = cx.extend_until(state.deadline, |cx| state.check.poll(cx));
        Ok(match verdict {
            Poll::Pending => Step::Wait(State::Check(state)),
            Poll::Ready(Ok(verified)) => {
                let session = self.session(state.granted, verified, cx);
                Step::Done(Finished { session, violation: state.violation })
            }
            Poll::Ready(Err(error)) => Step::Next(self.clean_up(&state.issued, error, cx)?),
        })
    }

    /// Compares the token response with the pending login: account, scopes, type and nonce policy.
    fn grant(
        &self,
        issued: &Issued,
        asked_at: UnixTime,
        nonce_missing: bool,
    ) -> Result<(Granted, Option<Error>), Error> {
        let granted = issued.check(asked_at)?;
        if let Some(expected) = &self.pending.expected
            && *expected != granted.sub
        {
            let (expected, found) = (expected.clone(), granted.sub);
            return Err(AuthorityError::SubjectMismatch { expected, found }.into());
        }
        let violation = self.config.nonce_violation(nonce_missing, EndpointName::Token)?;
        Ok((granted, violation))
    }

    /// Revokes rejected tokens.
    fn clean_up(&self, issued: &Issued, error: Error, cx: &Cx<'_>) -> Result<State, Failed> {
        let auth = match self.pending.client_auth(&self.config) {
            Ok(auth) => auth,
            Err(no_auth) => return Err(Failed { error, revocation: Some(Err(no_auth.into())) }),
        };
        let endpoint = self.pending.server.revocation_endpoint.clone();
        let revoke = RevokeTokens::new(
            endpoint.map(|url| FormEndpoint { url, auth, reach: self.config.reach() }),
            &self.pending.dpop_key,
            issued.tokens(),
        );
        let deadline = cx.elapsed().saturating_add(revoke::TIME);
        Ok(State::CleanUp { revoke: Box::new(revoke), error: Box::new(error), deadline })
    }

    fn session(&self, granted: Granted, verified: Verified, cx: &mut Cx<'_>) -> Session {
        let pending = &self.pending;
        // A handle that the login began with was resolved then, and is still claimed now.
        let began_with_it = verified.handle.is_some() && verified.handle == pending.handle;
        let handle_verified_at = if began_with_it { pending.created_at } else { cx.now() };
        Session {
            version: Version,
            session_id: pkce::random_name(cx.entropy()),
            did: granted.sub,
            handle_verified_at: verified.handle.is_some().then_some(handle_verified_at),
            handle: verified.handle,
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
            refused: None,
            unknown: serde_json::Map::new(),
        }
    }
}

/// For errors before the client has received tokens, so that no tokens can be revoked.
impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), revocation: None }
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
        f.debug_struct("LoggedIn")
            .field("session", &self.session)
            .field("violation", &self.violation)
            .finish_non_exhaustive()
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
        f.debug_struct("ExchangeCode").field("state", &self.steps).finish_non_exhaustive()
    }
}

/// Prints the name of the state, because a state holds tokens.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start(_) => "Start",
            Self::Send { .. } => "Send",
            Self::Check(_) => "Check",
            Self::CleanUp { .. } => "CleanUp",
        })
    }
}
