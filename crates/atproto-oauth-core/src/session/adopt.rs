//! Makes a session from four values that another program has stored: DID, PDS, refresh token and
//! private DPoP key.
//!
//! ```text
//! Start ──▶ Verify ── the account is at this PDS ──▶ Spend ── tokens checked ──▶ Refreshed
//! ```
//!
//! The four values name no issuer, so the issuer is the one that the PDS names. If the machine ends
//! in `Ok`: the account's DID document names this PDS, this PDS names the issuer of the session, and
//! the new tokens are for this account.
//!
//! RFC 6749 section 6; atproto OAuth, «Identity Authentication».

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_dpop::{AccessToken, DpopKey};
use atproto_identity::Did;
use atproto_sansio::{Budget, Cx, Machine, SecretString, Step, Steps};
use serde_json::Map;

use crate::client::config::Config;
use crate::discovery::verify::{self, Verified, Verify};
use crate::error::Error;
use crate::login::pkce;
use crate::origin::Origin;
use crate::session::Session;
use crate::session::refresh::{RefreshError, Refreshed};
use crate::session::spend::Spend;
use crate::stored::Version;

/// The four values from which [`Client::adopt`](crate::Client::adopt) makes a session: for programs
/// that keep a login in environment variables or a secret manager, in place of a stored
/// [`Session`].
///
/// The refresh token is single-use, and each session has another one. So store the credentials
/// [`of`](Self::of) the new session before any other step, and let one process at a time adopt
/// them. A program that can store JSON keeps the [`Session`] instead, which also has the access
/// token, so that not each start of the program spends a refresh token.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers write it as a literal")]
pub struct Credentials {
    /// Account that logged in.
    pub did: Did,
    /// PDS of the account.
    pub pds: Origin,
    /// Refresh token of the login. It is single-use.
    pub refresh_token: SecretString,
    /// Key that the refresh token is bound to. [`DpopKey::from_jwk`] and [`DpopKey::to_jwk`]
    /// convert it from and to the private JWK to store.
    pub dpop_key: DpopKey,
}

impl Credentials {
    /// Returns the credentials of `session`, as they are after its login or latest refresh; `None`
    /// if it has no refresh token.
    pub fn of(session: &Session) -> Option<Self> {
        Some(Self {
            did: session.did.clone(),
            pds: session.pds.clone(),
            refresh_token: session.refresh_token.clone()?,
            dpop_key: session.dpop_key.clone(),
        })
    }
}

/// Verifies the account of [`Credentials`], spends their refresh token, and ends in a session.
///
/// It ends in a [`RefreshError`] as a refresh does. Its `effect` is about the credentials, and its
/// `session` is `None`: so a refusal with an error code that no specification defines is always
/// [`SessionEffect::Ambiguous`](crate::SessionEffect::Ambiguous).
pub struct Adopt {
    config: Arc<Config>,
    credentials: Credentials,
    steps: Steps<State>,
}

enum State {
    Start,
    Verify { verify: Box<Verify>, deadline: Duration },
    Spend(Box<Spend>),
}

impl Adopt {
    pub(crate) fn new(config: Arc<Config>, credentials: Credentials) -> Self {
        Self { config, credentials, steps: Steps::begin(State::Start) }
    }
}

impl Machine for Adopt {
    type Output = Refreshed;
    type Error = RefreshError;

    fn budget(&self) -> Budget {
        Budget::new(10, Duration::from_secs(45))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Refreshed, RefreshError>> {
        let Self { config, credentials, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Start => {
                    let Credentials { did, pds, .. } = credentials.clone();
                    config.check_server(&pds).map_err(not_spent)?;
                    let verify = Box::new(Verify::at_pds(config, did, pds));
                    let deadline = cx.elapsed().saturating_add(verify::TIME);
                    Step::Next(State::Verify { verify, deadline })
                }
                State::Verify { mut verify, deadline } => {
                    match cx.until(deadline, |cx| verify.poll(cx)) {
                        Poll::Pending => Step::Wait(State::Verify { verify, deadline }),
                        Poll::Ready(verified) => {
                            let verified = verified.map_err(not_spent)?;
                            let session = unspent(config, credentials, &verified, cx)?;
                            let spend = Spend::new(Arc::clone(config), session, verified);
                            Step::Next(State::Spend(Box::new(spend)))
                        }
                    }
                }
                State::Spend(mut spend) => match spend.poll(cx) {
                    Poll::Pending => Step::Wait(State::Spend(spend)),
                    // The old session of the error was made up here, and must not be stored.
                    Poll::Ready(refreshed) => Step::Done(
                        refreshed.map_err(|error| RefreshError { session: None, ..error })?,
                    ),
                },
            })
        })
    }
}

/// The session whose refresh token is to be spent. Its access token is a filler, which [`Spend`]
/// replaces and never sends.
fn unspent(
    config: &Config,
    credentials: &Credentials,
    verified: &Verified,
    cx: &mut Cx<'_>,
) -> Result<Session, RefreshError> {
    let now = cx.now();
    Ok(Session {
        version: Version,
        session_id: pkce::random_name(cx.entropy()),
        did: credentials.did.clone(),
        handle: None,
        handle_verified_at: None,
        client_id: config.client_id.clone(),
        auth: config.auth_method(),
        issuer: verified.server.issuer.clone(),
        pds: verified.pds.clone(),
        scopes: config.scopes.clone(),
        access_token: AccessToken::new("none").map_err(not_spent)?,
        refresh_token: Some(credentials.refresh_token.clone()),
        expires_at: None,
        dpop_key: credentials.dpop_key.clone(),
        revocation_endpoint: None,
        created_at: now,
        updated_at: now,
        last_verified_at: now,
        refused: None,
        unknown: Map::new(),
    })
}

fn not_spent(error: impl Into<Error>) -> RefreshError {
    RefreshError::keep(error.into())
}

impl fmt::Debug for Adopt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adopt").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}
