//! Logs out: revokes a session's tokens at the authorization server that issued them.
//!
//! The refresh token is revoked before the access token, because most servers end the whole
//! session with the refresh token.
//!
//! RFC 7009; atproto OAuth, «Tokens and Session Lifetime».

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_dpop::{Dpop, DpopKey};
use atproto_identity::Freshness;
use atproto_sansio::{Budget, Cx, Machine, SecretString};
use url::Url;

use crate::client::config::Config;
use crate::discovery::discover::fetch_server;
use crate::discovery::fetch::FetchDocument;
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
    state: State,
}

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
    Start,
    Server(FetchDocument<ServerMetadataEndpoint>),
    Tokens(Box<RevokeTokens>),
    Ended,
}

/// Revokes the refresh token, then the access token, with one request for each.
pub(crate) struct RevokeTokens {
    /// `None` if the server has no revocation endpoint.
    endpoint: Option<FormEndpoint>,
    key: DpopKey,
    waiting: VecDeque<(&'static str, SecretString)>,
    request: Option<Dpop<RevocationRequest>>,
    /// Result for the first token, or for the second if the server can't revoke the first's type.
    /// The first token is the refresh token if the session has one.
    outcome: Option<Result<(), Error>>,
    ended: bool,
}

impl Revoke {
    pub(crate) fn new(config: Arc<Config>, session: Session) -> Self {
        Self { config, session, state: State::Start }
    }

    fn tokens(&self, endpoint: Option<Url>) -> Result<State, Error> {
        let auth = self.session.client_auth(&self.config)?;
        let reach = self.config.reach();
        Ok(State::Tokens(Box::new(RevokeTokens::new(
            endpoint.map(|url| FormEndpoint { url, auth, reach }),
            &self.session.dpop_key,
            self.session.refresh_token.clone(),
            Some(SecretString::new(self.session.access_token.expose())),
        ))))
    }
}

impl Machine for Revoke {
    type Output = Revocation;
    type Error = Error;

    fn budget(&self) -> Budget {
        Budget::new(8, Duration::from_secs(15))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Revocation, Error>> {
        let result = ready!(self.advance(cx));
        self.state = State::Ended;
        Poll::Ready(result)
    }
}

impl Revoke {
    fn advance(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Revocation, Error>> {
        loop {
            match &mut self.state {
                State::Start => {
                    let issuer = self.session.issuer.clone();
                    self.state = State::Server(fetch_server(
                        issuer,
                        self.config.development,
                        Freshness::Cached,
                    ));
                }
                State::Server(fetch) => {
                    // If the fetch of the metadata fails, the session's own endpoint is used.
                    let endpoint = match ready!(fetch.poll(cx)) {
                        Ok(server) => server.revocation_endpoint,
                        Err(_) => self.session.revocation_endpoint.clone(),
                    };
                    self.state = self.tokens(endpoint)?;
                }
                State::Tokens(revoke) => return revoke.poll(cx),
                State::Ended => unreachable!("logging out is not polled after its end"),
            }
        }
    }
}

impl RevokeTokens {
    pub(crate) fn new(
        endpoint: Option<FormEndpoint>,
        key: &DpopKey,
        refresh_token: Option<SecretString>,
        access_token: Option<SecretString>,
    ) -> Self {
        let refresh_token = refresh_token.map(|token| ("refresh_token", token));
        let access_token = access_token.map(|token| ("access_token", token));
        let waiting = refresh_token.into_iter().chain(access_token).collect();
        let key = key.clone();
        let (request, outcome, ended) = (None, None, false);
        Self { endpoint, key, waiting, request, outcome, ended }
    }
}

impl Machine for RevokeTokens {
    type Output = Revocation;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Revocation, Error>> {
        assert!(!self.ended, "a revocation is not polled after its end");
        let result = ready!(self.advance(cx));
        self.ended = true;
        Poll::Ready(result)
    }
}

impl RevokeTokens {
    fn advance(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Revocation, Error>> {
        let Some(endpoint) = &self.endpoint else {
            return Poll::Ready(Ok(Revocation::NotSupported));
        };
        loop {
            if let Some(request) = &mut self.request {
                let result = ready!(request.poll(cx)).map(|reply| reply.output);
                self.request = None;
                self.outcome = Some(match self.outcome.take() {
                    // The server can't revoke tokens of the first type: the second result counts.
                    Some(Err(first))
                        if first.oauth_error_code() == Some("unsupported_token_type") =>
                    {
                        result
                    }
                    Some(first) => first,
                    None => result,
                });
            }
            let Some((token_type_hint, token)) = self.waiting.pop_front() else {
                let outcome = self.outcome.take().unwrap_or(Ok(()));
                return Poll::Ready(outcome.map(|()| Revocation::Revoked));
            };
            let request = RevocationRequest { endpoint: endpoint.clone(), token, token_type_hint };
            self.request = Some(Dpop::new(request, &self.key));
        }
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
