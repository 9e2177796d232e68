//! Logs out: revokes a session's tokens at the authorization server that issued them.
//!
//! The refresh token is revoked before the access token, because most servers end the whole
//! session with the refresh token.
//!
//! RFC 7009; atproto OAuth, «Tokens and Session Lifetime».

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_dpop::{Dpop, DpopKey};
use atproto_identity::Freshness;
use atproto_sansio::{Budget, Cx, Machine, SecretString, Step, Steps};
use url::Url;

use crate::client::config::Config;
use crate::discovery::fetch::FetchDocument;
use crate::discovery::issuer::fetch_server;
use crate::discovery::server::ServerMetadataEndpoint;
use crate::endpoints::form::FormEndpoint;
use crate::endpoints::revocation::RevocationRequest;
use crate::error::Error;
use crate::session::Session;

/// Revokes refresh token and access token of a session, and ends in the result of the revocation.
///
/// Delete the session on success and on error alike: an error means that its tokens may stay valid
/// at the server until they expire. If the session has an earlier `client_id` of this client, the
/// revocation requests use that `client_id`.
pub struct Revoke {
    config: Arc<Config>,
    session: Session,
    steps: Steps<State>,
}

/// Time of a revocation that follows rejected tokens.
pub(crate) const TIME: Duration = Duration::from_secs(15);

/// Result of a revocation that did not fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Revocation {
    /// The server has revoked the refresh token. If the session has none, or if the server can't
    /// revoke refresh tokens, the server has revoked the access token.
    Revoked,
    /// The server has no revocation endpoint: the tokens stay valid until they expire.
    NotSupported,
}

enum State {
    Check,
    Server(FetchDocument<ServerMetadataEndpoint>),
    Tokens(Box<RevokeTokens>),
}

/// Revokes the refresh token, then the access token, with one request for each.
pub(crate) struct RevokeTokens {
    /// `None` if the server has no revocation endpoint.
    endpoint: Option<FormEndpoint>,
    key: DpopKey,
    steps: Steps<Revoking>,
}

/// Tokens that are not revoked yet, with the result for those before them.
struct Revoking {
    waiting: VecDeque<(&'static str, SecretString)>,
    request: Option<Dpop<RevocationRequest>>,
    /// Result for the first token, or for the second if the server can't revoke the first's type.
    /// The first token is the refresh token if the session has one.
    outcome: Option<Result<(), Error>>,
}

impl Revoke {
    pub(crate) fn new(config: Arc<Config>, session: Session) -> Self {
        Self { config, session, steps: Steps::begin(State::Check) }
    }
}

impl Machine for Revoke {
    type Output = Revocation;
    type Error = Error;

    fn budget(&self) -> Budget {
        Budget::new(9, TIME)
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Revocation, Error>> {
        let Self { config, session, steps } = self;
        steps.run(|state| {
            Ok(match state {
                // If the client has no key for the session, nothing is sent.
                State::Check => {
                    session.client_auth(config)?;
                    let issuer = session.issuer.clone();
                    let fetch = fetch_server(issuer, config.development, Freshness::Cached);
                    Step::Next(State::Server(fetch))
                }
                State::Server(mut fetch) => match fetch.poll(cx) {
                    Poll::Pending => Step::Wait(State::Server(fetch)),
                    // If the fetch of the metadata fails, the session's own endpoint is used.
                    Poll::Ready(server) => {
                        let endpoint = server.map_or_else(
                            |_| session.revocation_endpoint.clone(),
                            |server| server.revocation_endpoint,
                        );
                        let revoke = revoke_session(config, session, endpoint)?;
                        Step::Next(State::Tokens(Box::new(revoke)))
                    }
                },
                State::Tokens(mut revoke) => match revoke.poll(cx) {
                    Poll::Pending => Step::Wait(State::Tokens(revoke)),
                    Poll::Ready(revocation) => Step::Done(revocation?),
                },
            })
        })
    }
}

fn revoke_session(
    config: &Config,
    session: &Session,
    endpoint: Option<Url>,
) -> Result<RevokeTokens, Error> {
    let (auth, reach) = (session.client_auth(config)?, config.reach());
    Ok(RevokeTokens::new(
        endpoint.map(|url| FormEndpoint { url, auth, reach }),
        &session.dpop_key,
        [
            session.refresh_token.clone().map(|token| ("refresh_token", token)),
            Some(("access_token", SecretString::new(session.access_token.expose()))),
        ]
        .into_iter()
        .flatten()
        .collect(),
    ))
}

impl RevokeTokens {
    /// Revokes `tokens`, each with its `token_type_hint`, in this order.
    pub(crate) fn new(
        endpoint: Option<FormEndpoint>,
        key: &DpopKey,
        tokens: Vec<(&'static str, SecretString)>,
    ) -> Self {
        let waiting = tokens.into();
        let steps = Steps::begin(Revoking { waiting, request: None, outcome: None });
        Self { endpoint, key: key.clone(), steps }
    }
}

impl Machine for RevokeTokens {
    type Output = Revocation;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Revocation, Error>> {
        let Self { endpoint, key, steps } = self;
        steps.run(|Revoking { mut waiting, request, outcome }| {
            let Some(endpoint) = endpoint else { return Ok(Step::Done(Revocation::NotSupported)) };
            let outcome = match request {
                None => outcome,
                Some(mut request) => match request.poll(cx) {
                    Poll::Pending => {
                        let request = Some(request);
                        return Ok(Step::Wait(Revoking { waiting, request, outcome }));
                    }
                    Poll::Ready(result) => {
                        Some(combined(outcome, result.map(|reply| reply.output)))
                    }
                },
            };
            let Some((token_type_hint, token)) = waiting.pop_front() else {
                outcome.unwrap_or(Ok(()))?;
                return Ok(Step::Done(Revocation::Revoked));
            };
            let request = RevocationRequest { endpoint: endpoint.clone(), token, token_type_hint };
            let request = Some(Dpop::new(request, key));
            Ok(Step::Next(Revoking { waiting, request, outcome }))
        })
    }
}

/// The first result counts, unless the server can't revoke tokens of the first type.
fn combined(first: Option<Result<(), Error>>, second: Result<(), Error>) -> Result<(), Error> {
    match first {
        Some(Err(error)) if error.oauth_error_code() == Some("unsupported_token_type") => second,
        Some(first) => first,
        None => second,
    }
}

/// Text for an error message about issued tokens that are not revoked; empty if they are.
pub(crate) fn after_revocation(revocation: Option<&Result<Revocation, Box<Error>>>) -> String {
    match revocation {
        None | Some(Ok(Revocation::Revoked)) => String::new(),
        Some(Ok(Revocation::NotSupported)) => {
            "; the issued tokens stay valid until they expire, because the server has no \
             revocation endpoint"
                .to_owned()
        }
        Some(Err(error)) => {
            format!(
                "; the issued tokens stay valid until they expire, because revoking them failed: \
                 {error}"
            )
        }
    }
}

impl fmt::Debug for Revoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revoke").field("session", &self.session).finish_non_exhaustive()
    }
}
