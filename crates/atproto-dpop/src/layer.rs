//! `Dpop<E>` sends the request of an endpoint with a DPoP proof. `Dpop` retries at most once for
//! each of three reasons: the proof had no nonce, the server no longer accepts the nonce, or the
//! server's clock differs from the local clock.
//!
//! ```text
//! Unsent ── its turn: sign, send ──▶ Sent ── response ──▶ end
//!    ▲                                │
//!    ├── use_dpop_nonce ──────────────┤
//!    └── clock is wrong ──────────────┘
//! ```
//!
//! A proof is made when the driver takes the request, not before: it carries a time and a nonce,
//! and the request may wait behind others. A retry waits behind no other request.
//!
//! The nonce of every response is cached, also that of an error response. For a retry, the endpoint
//! builds a new request, so that single-use values such as `jti` are never sent twice.
//!
//! RFC 9449 sections 8 and 9; atproto OAuth, «DPoP».

use std::fmt;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{
    Body, Budget, Cx, Draft, Endpoint, Machine, Moment, Notice, Step, Steps, Ticket,
    TransportError, UnixTime, json_text,
};
use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode, header};
use serde::Deserialize;

use crate::challenge::challenges;
use crate::error::DpopError;
use crate::key::DpopKey;
use crate::nonce::{self, Nonce, NonceHint};
use crate::proof::{Proof, Target};
use crate::skew::ClockOffset;
use crate::token::AccessToken;

/// Sends the request of an endpoint with a DPoP proof, and retries if the server demands a nonce.
///
/// Without an access token, the server is treated as an authorization server; with an access token
/// ([`bound_to`](Self::bound_to)), as a resource server. The two demand a nonce in different ways
/// (RFC 9449 sections 8 and 9).
#[derive(Debug)]
pub struct Dpop<E> {
    attempts: Attempts<E>,
    steps: Steps<State>,
}

/// Values that all attempts of one request share.
#[derive(Debug)]
struct Attempts<E> {
    endpoint: E,
    key: DpopKey,
    token: Option<AccessToken>,
    hint: Option<NonceHint>,
    /// Nonce of the last response that had one.
    latest: Option<Latest>,
    retries: Retries,
}

#[derive(Debug)]
struct Latest {
    target: Target,
    nonce: Nonce,
    at: UnixTime,
}

/// Retries that are still allowed. Each field is set to false by the retry for its reason.
#[derive(Debug)]
struct Retries {
    /// Retry because the proof had no nonce.
    first_nonce: bool,
    /// Retry because the server no longer accepts the nonce of the proof.
    stale_nonce: bool,
    /// Retry because the local clock is far from the server's clock.
    clock: bool,
}

#[derive(Debug)]
enum State {
    New,
    Unsent(Draft),
    Sent(Sent),
}

#[derive(Debug)]
struct Sent {
    ticket: Ticket<Response<Bytes>>,
    target: Target,
    nonce: Option<Nonce>,
    /// Time at which a cached nonce was learned.
    learned: Option<Moment>,
    /// Local time at which the request was made.
    at: UnixTime,
    /// Offset that the proof was made with.
    offset: ClockOffset,
    repeatable: bool,
}

/// Output of an endpoint, and whether its response lacked the nonce that atproto requires.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct DpopReply<T> {
    /// Output of the endpoint, parsed from the last response.
    pub output: T,
    /// True if the response had a 2xx status but no valid `DPoP-Nonce` header. The atproto profile
    /// requires this header.
    pub nonce_missing: bool,
}

/// A second attempt of a request, as this layer tells the program in a [`Notice`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Retry {
    /// Origin of the server that refused the first attempt.
    pub origin: String,
    /// Reason of the refusal.
    pub reason: RetryReason,
}

/// The reason of a [`Retry`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RetryReason {
    /// The proof had no nonce, because none of the server was known.
    NoNonce,
    /// The server no longer accepts the nonce of the proof.
    StaleNonce,
    /// The local clock differs from the server's clock.
    Clock(ClockOffset),
}

/// Correction that a server demands in an error response before it processes the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Demand {
    Nonce,
    /// Another proof: its time or its nonce may be wrong.
    Proof,
    /// Another client assertion: its time may be wrong.
    Assertion,
}

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Age from which the nonce of the cache gets a new time if a response repeats it.
const REFRESH: Duration = Duration::from_secs(1);

/// Age of a new proof. A server that is strict about the future allows 5 seconds, and no server
/// known to us allows less than 60 seconds of age, so that either clock may be off by some seconds.
const BACKDATED: Duration = Duration::from_secs(10);

impl<E: Endpoint> Dpop<E> {
    /// Wraps a request to an authorization server; `key` signs the proofs.
    pub fn new(endpoint: E, key: &DpopKey) -> Self {
        let attempts = Attempts {
            endpoint,
            key: key.clone(),
            token: None,
            hint: None,
            latest: None,
            retries: Retries { first_nonce: true, stale_nonce: true, clock: true },
        };
        Self { attempts, steps: Steps::begin(State::New) }
    }

    /// Sends the request to a resource server instead, with an access token that is bound to the
    /// key.
    pub fn bound_to(mut self, token: &AccessToken) -> Self {
        self.attempts.token = Some(token.clone());
        self
    }

    /// Sets the nonce of the first attempt for the case that no nonce is cached for its origin. A
    /// nonce that was learned more than a minute ago is not sent.
    pub fn with_hint(mut self, hint: Option<NonceHint>) -> Self {
        self.attempts.hint = hint;
        self
    }

    /// Mutable access to the endpoint, for options that must be set before the first poll.
    pub fn endpoint_mut(&mut self) -> &mut E {
        &mut self.attempts.endpoint
    }

    /// Returns the nonce of the last response that had a nonce, or else the hint of
    /// [`with_hint`](Self::with_hint). Store it for a later process whose cache is empty.
    pub fn hint(&self) -> Option<NonceHint> {
        let latest = self.attempts.latest.as_ref().map(|latest| NonceHint {
            origin: latest.target.origin().to_owned(),
            nonce: latest.nonce.as_str().to_owned(),
            learned_at: latest.at.as_secs(),
        });
        latest.or_else(|| self.attempts.hint.clone())
    }

    /// Whether a driver has taken the HTTP call and no reply was processed. The server may have
    /// seen the request.
    pub fn is_in_flight(&self, cx: &Cx<'_>) -> bool {
        matches!(self.steps.state(), Some(State::Sent(sent)) if cx.is_handed_out(&sent.ticket))
    }
}

impl<E: Endpoint> Machine for Dpop<E>
where
    E::Error: From<DpopError> + From<TransportError>,
{
    type Output = DpopReply<E::Output>;
    type Error = E::Error;

    fn budget(&self) -> Budget {
        let Attempts { endpoint, retries, .. } = &self.attempts;
        let Retries { first_nonce, stale_nonce, clock } = *retries;
        let attempts = 1 + [first_nonce, stale_nonce, clock].map(u32::from).iter().sum::<u32>();
        Budget::new(attempts, endpoint.how().timeout.saturating_mul(attempts))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Self::Error>> {
        let Self { attempts, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::New => Step::Next(State::Unsent(Draft::new(cx))),
                State::Unsent(mut draft) => {
                    let now = |cx: &Cx<'_>| attempts.server_time(cx);
                    match draft.poll(&attempts.endpoint, now, cx) {
                        Poll::Pending => Step::Wait(State::Unsent(draft)),
                        Poll::Ready(request) => {
                            Step::Next(State::Sent(attempts.send(draft, request?, cx)?))
                        }
                    }
                }
                State::Sent(sent) => match cx.take(&sent.ticket) {
                    Poll::Pending => Step::Wait(State::Sent(sent)),
                    Poll::Ready(response) => attempts.receive(sent, response?, cx)?,
                },
            })
        })
    }
}

impl<E: Endpoint> Attempts<E> {
    /// Returns the time of the endpoint's server: the local time plus the cached clock offset.
    fn server_time(&self, cx: &Cx<'_>) -> UnixTime {
        let origin = self.endpoint.url().map(|url| url.origin().ascii_serialization());
        let offset = origin.map(|origin| ClockOffset::recall(cx, &origin));
        offset.unwrap_or_default().apply(cx.now())
    }

    /// Adds the proof to `request`, and sends it in the place of `draft`.
    fn send(
        &self,
        draft: Draft,
        mut request: Request<Body>,
        cx: &mut Cx<'_>,
    ) -> Result<Sent, DpopError> {
        let target = Target::of_sent(request.uri())?;
        let offset = ClockOffset::recall(cx, target.origin());
        let issued_at = offset.apply(cx.now()) - BACKDATED;
        let (learned, nonce) = nonce::recall(cx, target.origin()).unzip();
        // The cache may have dropped the nonce of the response before.
        let latest = || {
            let latest = self.latest.as_ref()?;
            (latest.target.origin() == target.origin()).then(|| latest.nonce.clone())
        };
        let hint = || self.hint.as_ref()?.fresh(target.origin(), cx.now()).map(Nonce::copy);
        let nonce = nonce.or_else(latest).or_else(hint);
        let repeatable = matches!(request.body(), Body::Bytes(_));
        let sent_nonce = nonce.as_ref().map(Nonce::as_str);
        self.prove(&mut request, target.htu(), sent_nonce, issued_at.as_secs(), cx)?;
        let ticket = draft.send(request, self.endpoint.how(), cx);
        Ok(Sent { ticket, target, nonce, learned, at: cx.now(), offset, repeatable })
    }

    /// Sets the `DPoP` header and, if there is an access token, the `Authorization` header. Values
    /// that the endpoint has set are replaced, so that the request has exactly one of each.
    fn prove(
        &self,
        request: &mut Request<Body>,
        htu: &str,
        nonce: Option<&str>,
        iat: u64,
        cx: &mut Cx<'_>,
    ) -> Result<(), DpopError> {
        let mut jti = [0; 16];
        cx.entropy().fill(&mut jti);
        let ath = self.token.as_ref().map(AccessToken::ath);
        let proof = Proof { jti, htm: request.method().as_str(), htu, iat, nonce, ath };
        let proof = self.key.prove(&proof, cx.keys())?;
        request.headers_mut().insert(DPOP, proof);
        if let Some(token) = &self.token {
            request.headers_mut().insert(header::AUTHORIZATION, token.authorization());
        }
        Ok(())
    }

    /// Learns nonce and clock from a response. Then begins a retry, or ends with the endpoint's
    /// output.
    fn receive(
        &mut self,
        sent: Sent,
        mut response: Response<Bytes>,
        cx: &mut Cx<'_>,
    ) -> Result<Step<State, DpopReply<E::Output>>, E::Error> {
        let nonce = sent.learn_nonce(&response, cx);
        let offset = learn_offset(&sent, &response, cx);
        let retry = self.may_retry(&sent, &response, nonce.as_ref(), offset);
        if let Some(reason) = retry {
            let draft = Draft::again(cx);
            cx.announce(Notice::new(Retry { origin: sent.target.origin().to_owned(), reason }));
            self.keep(sent.target, nonce, cx);
            return Ok(Step::Next(State::Unsent(draft)));
        }
        if let Some(offset) = offset.filter(|offset| offset.is_far_from(ClockOffset::default())) {
            response.extensions_mut().insert(offset);
        }
        let nonce_missing = nonce.is_none() && response.status().is_success();
        self.keep(sent.target, nonce, cx);
        let output = self.endpoint.response(response)?;
        Ok(Step::Done(DpopReply { output, nonce_missing }))
    }

    /// Keeps the nonce of a response for [`Dpop::hint`].
    fn keep(&mut self, target: Target, nonce: Option<Nonce>, cx: &Cx<'_>) {
        if let Some(nonce) = nonce {
            self.latest = Some(Latest { target, nonce, at: cx.now() });
        }
    }

    /// The reason for a retry that can meet the server's demand, if there is one. The retry is counted.
    fn may_retry(
        &mut self,
        sent: &Sent,
        response: &Response<Bytes>,
        nonce: Option<&Nonce>,
        offset: Option<ClockOffset>,
    ) -> Option<RetryReason> {
        if !sent.repeatable {
            return None;
        }
        let clock = offset.filter(|offset| offset.is_far_from(sent.offset)).map(RetryReason::Clock);
        let is_new = nonce.is_some() && nonce != sent.nonce.as_ref();
        let nonce = is_new.then_some(match sent.nonce {
            None => RetryReason::NoNonce,
            Some(_) => RetryReason::StaleNonce,
        });
        let reason = match demand(self.token.is_some(), response) {
            Some(Demand::Nonce) => nonce,
            // There are servers that refuse a nonce which they do not know as an invalid proof, for
            // example after a restart.
            Some(Demand::Proof) => clock.or_else(|| nonce.filter(|_| sent.nonce.is_some())),
            Some(Demand::Assertion) => clock,
            None => {
                // There are authorization servers with error codes of their own for a wrong time.
                // A request that has no single-use credential may be sent again for any of them.
                let may_repeat = self.token.is_none() && self.endpoint.how().least_time.is_zero();
                clock.filter(|_| may_repeat)
            }
        }?;
        let retry = match reason {
            RetryReason::NoNonce => &mut self.retries.first_nonce,
            RetryReason::StaleNonce => &mut self.retries.stale_nonce,
            RetryReason::Clock(_) => &mut self.retries.clock,
        };
        std::mem::take(retry).then_some(reason)
    }
}

impl Sent {
    /// Caches the nonce of a response. If the server goes on with a nonce that was learned just now, the cache
    /// has it already.
    fn learn_nonce(&self, response: &Response<Bytes>, cx: &Cx<'_>) -> Option<Nonce> {
        let nonce = nonce::of_response(response.headers())?;
        let same = self.nonce.as_ref().filter(|sent| sent.as_str() == nonce);
        let is_recent = |learned: Moment| cx.moment().since(learned) < REFRESH;
        if same.is_none() || !self.learned.is_some_and(is_recent) {
            nonce::remember(cx, self.target.origin(), nonce);
        }
        Some(same.cloned().unwrap_or_else(|| Nonce::copy(nonce)))
    }
}

/// Learns the clock of a server from the response that rejects a request, and returns its offset
/// from the local clock.
fn learn_offset(sent: &Sent, response: &Response<Bytes>, cx: &Cx<'_>) -> Option<ClockOffset> {
    if !response.status().is_client_error() {
        return None;
    }
    let offset = ClockOffset::of_response(response.headers(), sent.at, cx.now())?;
    if offset.is_far_from(sent.offset) {
        offset.remember(cx, sent.target.origin());
    }
    Some(offset)
}

/// Reads the demand of an error response. A resource server sends it in a `DPoP` challenge (401),
/// an authorization server in an OAuth error in the body (400 or 401) or in a `DPoP` challenge
/// (401).
fn demand(is_resource: bool, response: &Response<Bytes>) -> Option<Demand> {
    #[derive(Deserialize)]
    struct OAuthError {
        error: String,
    }

    let demand = |error: &str| match error {
        "use_dpop_nonce" => Some(Demand::Nonce),
        "invalid_dpop_proof" => Some(Demand::Proof),
        // A client assertion has times, too, and servers tolerate a smaller clock difference there
        // than in a proof. A server checks the assertion before it acts on the request (RFC 6749
        // section 5.2), so a retry with a new assertion is safe.
        "invalid_client" => Some(Demand::Assertion),
        _ => None,
    };
    let of_challenge = || {
        let challenges = challenges(response.headers());
        let mut ours = challenges.iter().filter(|challenge| challenge.scheme == "dpop");
        ours.find_map(|challenge| demand(challenge.param("error")?))
    };
    let of_body = || {
        // A description in another encoding must not hide the demand beside it.
        let body = String::from_utf8_lossy(response.body());
        let body = json_text(body.as_bytes()).ok()?;
        let is_object = body.trim_ascii_start().starts_with('{');
        let OAuthError { error } = serde_json::from_str(body).ok().filter(|_| is_object)?;
        demand(&error)
    };
    match (is_resource, response.status()) {
        (true, StatusCode::UNAUTHORIZED) => of_challenge(),
        (false, StatusCode::UNAUTHORIZED) => of_body().or_else(of_challenge),
        (false, StatusCode::BAD_REQUEST) => of_body(),
        _ => None,
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = &self.origin;
        match self.reason {
            RetryReason::NoNonce => write!(f, "{origin} demands a nonce"),
            RetryReason::StaleNonce => write!(f, "{origin} demands another nonce"),
            RetryReason::Clock(offset) => {
                let seconds = offset.seconds();
                write!(f, "the clock of {origin} differs from the local clock by {seconds} s")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_in_front_of_an_error_hides_no_demand() {
        // Rule P-14
        for body in [
            &b"{\"error\":\"use_dpop_nonce\"}"[..],
            b"\xef\xbb\xbf{\"error\":\"use_dpop_nonce\"}",
            b"{\"error\":\"use_dpop_nonce\",\"error_description\":\"ung\xfcltig\"}",
        ] {
            let response = Response::builder().status(400).body(Bytes::from_static(body));
            assert!(matches!(demand(false, &response.unwrap()), Some(Demand::Nonce)), "{body:?}");
        }
    }
}
