//! A request with a stored session: renews the session before or after the request if needed.
//!
//! ```text
//! Ensure ── fresh token ──▶ Send ── answered ──▶ SessionReply
//!    ▲                        │
//!    └── token refused, once ─┘
//! ```

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_dpop::AccessToken;
use atproto_sansio::{Answer, Body, Budget, Cx, Machine, Step, Steps};
use http::Request;

use crate::session::Session;
use crate::session::request::{ResourceReply, ResourceRequest};
use crate::sessions::clock::Clock;
use crate::sessions::ensure::Ensure;
use crate::sessions::error::SessionsError;
use crate::sessions::event::SessionChange;
use crate::sessions::key::SessionKey;
use crate::sessions::policy::Managed;
use crate::sessions::tell::Tell;
use crate::xrpc::is_token_refused;

/// Sends one request to the PDS of a stored session.
///
/// If the PDS refuses the access token, the session is renewed and the request is sent once more, with
/// the new token. A streamed body that was sent can't be sent again: then the session is renewed, and
/// the refusal is returned. If the session turns out to have ended, the request fails with that.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct SessionRequest {
    call: SessionCall,
    steps: Steps<State>,
}

struct SessionCall {
    managed: Managed,
    key: SessionKey,
    request: Request<Body>,
    answer: Option<Answer>,
    timeout: Option<Duration>,
    /// The token that the PDS has refused.
    refused: Option<AccessToken>,
}

/// The response of the PDS, and the session that the request was sent with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionReply {
    /// The response, with any status.
    pub reply: ResourceReply,
    /// The session: use it for the next request, because its tokens may be newer.
    pub session: Arc<Session>,
}

enum State {
    Ensure(Box<Ensure>, Option<SessionReply>),
    Send(Box<ResourceRequest>, Arc<Session>, Clock),
    Tell(Tell, SessionReply),
}

impl SessionRequest {
    /// Sends `request` with `at_hand` if that is fresh, else with a renewed session.
    pub(crate) fn new(managed: Managed, at_hand: Arc<Session>, request: Request<Body>) -> Self {
        let key = SessionKey::of(&at_hand);
        let ensure = Ensure::new(managed.clone(), key.clone(), Some(at_hand), None);
        let call =
            SessionCall { managed, key, request, answer: None, timeout: None, refused: None };
        Self { call, steps: Steps::begin(State::Ensure(Box::new(ensure), None)) }
    }

    /// Delivery of the response body, as [`ResourceRequest::answer`] sets it.
    pub fn answer(mut self, answer: Answer) -> Self {
        self.call.answer = Some(answer);
        self
    }

    /// Timeout of one attempt; 60 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.call.timeout = Some(timeout);
        self
    }
}

impl Machine for SessionRequest {
    type Output = SessionReply;
    type Error = SessionsError;

    fn budget(&self) -> Budget {
        // Three attempts for each of two tokens, and two small requests before a streamed body.
        let attempts = self.call.timeout.unwrap_or(ATTEMPT).saturating_mul(4);
        Budget::new(8, attempts.saturating_add(RENEWAL))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<SessionReply, SessionsError>> {
        let Self { call, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Ensure(mut ensure, refusal) => match ensure.poll(cx) {
                    Poll::Pending => Step::Wait(State::Ensure(ensure, refusal)),
                    Poll::Ready(session) => match refusal {
                        None => Step::Next(call.send(session?, cx)?),
                        // The body is sent already, and the caller decides.
                        Some(refusal) => Step::Done(match session {
                            Ok(session) => SessionReply { session, ..refusal },
                            Err(ended) if ended.error.needs_login() => return Err(ended),
                            Err(_) => refusal,
                        }),
                    },
                },
                State::Send(mut request, session, clock) => match request.poll(cx) {
                    Poll::Pending => Step::Wait(State::Send(request, session, clock)),
                    Poll::Ready(reply) => call.answered(reply?, session, clock.change(cx)),
                },
                State::Tell(mut tell, reply) => match tell.poll(cx) {
                    Poll::Pending => Step::Wait(State::Tell(tell, reply)),
                    Poll::Ready(Ok(())) => Step::Done(reply),
                },
            })
        })
    }
}

/// Time of one attempt unless the caller sets another one.
const ATTEMPT: Duration = Duration::from_secs(60);

/// Time to wait for a refresh.
const RENEWAL: Duration = Duration::from_secs(60);

impl SessionCall {
    fn send(&self, session: Arc<Session>, cx: &Cx<'_>) -> Result<State, SessionsError> {
        self.managed.config.check_client_id(session.client_id())?;
        let reach = self.managed.config.reach();
        let mut request = ResourceRequest::new(&session, self.request.clone(), reach)?;
        if let Some(answer) = self.answer {
            request = request.answer(answer);
        }
        if let Some(timeout) = self.timeout {
            request = request.timeout(timeout);
        }
        let clock = Clock::before(session.pds(), cx);
        Ok(State::Send(Box::new(request), session, clock))
    }

    fn answered(
        &mut self,
        reply: ResourceReply,
        session: Arc<Session>,
        skew: Option<SessionChange>,
    ) -> Step<State, SessionReply> {
        let is_refused = is_token_refused(&reply.response) && self.refused.is_none();
        if !is_refused {
            let reply = SessionReply { reply, session };
            return match skew {
                Some(change) => Step::Next(State::Tell(Tell::new(&self.key, vec![change]), reply)),
                None => Step::Done(reply),
            };
        }
        let refused = session.access_token.clone();
        self.refused = Some(refused.clone());
        let (managed, key) = (self.managed.clone(), self.key.clone());
        let may_repeat = matches!(self.request.body(), Body::Bytes(_)) || reply.body_unsent;
        let ensure = Ensure::new(managed, key, Some(Arc::clone(&session)), Some(refused));
        let refusal = (!may_repeat).then_some(SessionReply { reply, session });
        Step::Next(State::Ensure(Box::new(ensure), refusal))
    }
}

impl fmt::Debug for SessionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRequest").field("key", &self.call.key).finish_non_exhaustive()
    }
}
