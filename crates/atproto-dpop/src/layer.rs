//! `Dpop<E>` sends the request of an endpoint with a DPoP proof. `Dpop` retries at most once for
//! each of three reasons: the proof had no nonce, the server no longer accepts the nonce, or the
//! server's clock differs from the local clock.
//!
//! ```text
//! Unsent ──── sign, send ───▶ Sent ──── response ───▶ Ended
//!    ▲                          │
//!    ├── use_dpop_nonce ────────┤
//!    └── clock is wrong ────────┘
//! ```
//!
//! The nonce of every response is cached, also that of an error response. For a retry, the endpoint
//! builds a new request, so that single-use values such as `jti` are never sent twice.
//!
//! RFC 9449 sections 8 and 9; atproto OAuth, «DPoP».

use std::task::{Poll, ready};

use atproto_sansio::{
    Body, Budget, Cx, Draft, Endpoint, Machine, Ticket, TransportError, UnixTime,
};
use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode, header};
use serde::Deserialize;

use crate::challenge::challenges;
use crate::error::DpopError;
use crate::key::DpopKey;
use crate::nonce::{self, NonceHint};
use crate::proof::{self, Proof};
use crate::skew::ClockOffset;
use crate::token::AccessToken;

/// Sends the request of an endpoint with a DPoP proof, and retries if the server demands a nonce.
///
/// Without an access token, the server is treated as an authorization server; with an access token
/// ([`bound_to`](Self::bound_to)), as a resource server. The two demand a nonce in different ways
/// (RFC 9449 sections 8 and 9).
#[derive(Debug)]
pub struct Dpop<E> {
    endpoint: E,
    key: DpopKey,
    token: Option<AccessToken>,
    hint: Option<NonceHint>,
    retries: Retries,
    state: State,
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
    Unsent(Draft),
    Sent(Sent),
    Ended,
}

#[derive(Debug)]
struct Sent {
    ticket: Ticket<Response<Bytes>>,
    origin: String,
    nonce: Option<String>,
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

/// Correction that a server demands in an error response before it processes the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Demand {
    Nonce,
    Time,
}

const DPOP: HeaderName = HeaderName::from_static("dpop");

impl<E: Endpoint> Dpop<E> {
    /// Wraps a request to an authorization server; `key` signs the proofs.
    pub fn new(endpoint: E, key: &DpopKey) -> Self {
        Self {
            endpoint,
            key: key.clone(),
            token: None,
            hint: None,
            retries: Retries { first_nonce: true, stale_nonce: true, clock: true },
            state: State::Unsent(Draft::default()),
        }
    }

    /// Sends the request to a resource server instead, with an access token that is bound to the
    /// key.
    pub fn bound_to(self, token: &AccessToken) -> Self {
        Self { token: Some(token.clone()), ..self }
    }

    /// Sets the nonce of the first attempt for the case that no nonce is cached for its origin.
    pub fn with_hint(self, hint: Option<NonceHint>) -> Self {
        Self { hint, ..self }
    }

    /// Mutable access to the endpoint, for options that must be set before the first poll.
    pub fn endpoint_mut(&mut self) -> &mut E {
        &mut self.endpoint
    }

    /// Returns the nonce of the last response that had a nonce, or else the hint of
    /// [`with_hint`](Self::with_hint). Store it for a later process whose cache is empty.
    pub fn hint(&self) -> Option<&NonceHint> {
        self.hint.as_ref()
    }

    /// Whether a driver has taken the HTTP call and no reply was processed. The server may have
    /// seen the request.
    pub fn is_in_flight(&self, cx: &Cx<'_>) -> bool {
        matches!(&self.state, State::Sent(sent) if cx.is_handed_out(&sent.ticket))
    }

    /// Returns the time of the endpoint's server: the local time plus the cached clock offset.
    fn server_time(&self, cx: &Cx<'_>) -> UnixTime {
        let origin = self.endpoint.url().map(|url| url.origin().ascii_serialization());
        let offset = origin.map(|origin| ClockOffset::recall(cx, &origin));
        offset.unwrap_or_default().apply(cx.now())
    }

    fn send(&self, mut request: Request<Body>, cx: &mut Cx<'_>) -> Result<Sent, DpopError> {
        let target = proof::target(request.uri())?;
        let origin = target.origin().ascii_serialization();
        let offset = ClockOffset::recall(cx, &origin);
        let now = offset.apply(cx.now());
        let nonce = nonce::recall(cx, &origin).or_else(|| {
            let hint = self.hint.as_ref().filter(|hint| hint.origin == origin)?;
            nonce::is_valid(&hint.nonce).then(|| hint.nonce.clone())
        });
        let repeatable = matches!(request.body(), Body::Bytes(_));
        self.prove(&mut request, target.as_str(), nonce.as_deref(), now.as_secs(), cx)?;
        let ticket = cx.http(request, self.endpoint.how());
        Ok(Sent { ticket, origin, nonce, offset, repeatable })
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
        let proof = self.key.prove(&Proof {
            jti,
            htm: request.method().as_str(),
            htu,
            iat,
            nonce,
            ath: self.token.as_ref().map(AccessToken::ath),
        })?;
        request.headers_mut().insert(DPOP, proof);
        if let Some(token) = &self.token {
            request.headers_mut().insert(header::AUTHORIZATION, token.authorization()?);
        }
        Ok(())
    }

    /// Whether a retry can meet the server's demand. If so, the retry is counted, and a new clock
    /// offset is cached.
    fn may_retry(&mut self, cx: &Cx<'_>, sent: &Sent, response: &Response<Bytes>) -> bool {
        if !sent.repeatable {
            return false;
        }
        match demand(self.token.is_some(), response) {
            Some(Demand::Nonce) => {
                let fresh = nonce::of_response(response.headers())
                    .is_some_and(|nonce| sent.nonce.as_deref() != Some(nonce));
                let retry = match sent.nonce {
                    None => &mut self.retries.first_nonce,
                    Some(_) => &mut self.retries.stale_nonce,
                };
                fresh && std::mem::take(retry)
            }
            Some(Demand::Time) => {
                let Some(offset) = ClockOffset::of_response(response.headers(), cx.now()) else {
                    return false;
                };
                let retry =
                    offset.is_far_from(sent.offset) && std::mem::take(&mut self.retries.clock);
                if retry {
                    offset.remember(cx, &sent.origin);
                }
                retry
            }
            None => false,
        }
    }
}

impl<E: Endpoint> Machine for Dpop<E>
where
    E::Error: From<DpopError> + From<TransportError>,
{
    type Output = DpopReply<E::Output>;
    type Error = E::Error;

    fn budget(&self) -> Budget {
        let Retries { first_nonce, stale_nonce, clock } = self.retries;
        let attempts = 1 + [first_nonce, stale_nonce, clock].map(u32::from).iter().sum::<u32>();
        Budget::new(attempts, self.endpoint.how().timeout.saturating_mul(attempts))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Self::Error>> {
        loop {
            match &self.state {
                State::Unsent(_) => {
                    let now = self.server_time(cx);
                    let State::Unsent(draft) = &mut self.state else {
                        unreachable!("the state was matched above")
                    };
                    let request = ready!(draft.poll(&self.endpoint, now, cx));
                    // If the request can't be built, the machine has ended.
                    self.state = State::Ended;
                    self.state = State::Sent(self.send(request?, cx)?);
                }
                State::Sent(sent) => {
                    let answer = ready!(cx.take(&sent.ticket));
                    let State::Sent(sent) = std::mem::replace(&mut self.state, State::Ended) else {
                        unreachable!("the state was matched above")
                    };
                    let response = answer?;
                    let nonce = nonce::of_response(response.headers());
                    if let Some(nonce) = nonce {
                        nonce::remember(cx, &sent.origin, nonce);
                        self.hint = Some(NonceHint {
                            origin: sent.origin.clone(),
                            nonce: nonce.to_owned(),
                        });
                    }
                    if self.may_retry(cx, &sent, &response) {
                        self.state = State::Unsent(Draft::default());
                        continue;
                    }
                    let nonce_missing = nonce.is_none() && response.status().is_success();
                    let output = self.endpoint.response(response)?;
                    return Poll::Ready(Ok(DpopReply { output, nonce_missing }));
                }
                State::Ended => unreachable!("`Dpop` is not polled after its end"),
            }
        }
    }
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
        // A client assertion has times, too, and servers tolerate a smaller clock difference there
        // than in a proof. A server checks the assertion before it acts on the request (RFC 6749
        // section 5.2), so a retry with a new assertion is safe.
        "invalid_dpop_proof" | "invalid_client" => Some(Demand::Time),
        _ => None,
    };
    let of_challenge = || {
        let challenges = challenges(response.headers());
        let mut ours = challenges.iter().filter(|challenge| challenge.scheme == "dpop");
        ours.find_map(|challenge| demand(challenge.param("error")?))
    };
    let of_body = || {
        let body =
            Some(response.body()).filter(|body| body.trim_ascii_start().starts_with(b"{"))?;
        let OAuthError { error } = serde_json::from_slice(body).ok()?;
        demand(&error)
    };
    match (is_resource, response.status()) {
        (true, StatusCode::UNAUTHORIZED) => of_challenge(),
        (false, StatusCode::UNAUTHORIZED) => of_body().or_else(of_challenge),
        (false, StatusCode::BAD_REQUEST) => of_body(),
        _ => None,
    }
}
