//! `Dpop<E>`: sends an endpoint's request with a proof, learns the nonce, and sends again where the
//! server asked for a nonce, for another nonce, or for another time: once for each of these reasons.
//!
//! ```text
//! Unsent ──── sign, send ───▶ Sent ──── response ───▶ Ended
//!    ▲                          │
//!    ├── use_dpop_nonce ────────┤
//!    └── clock is off ──────────┘
//! ```
//!
//! Whatever the status, the nonce of every response is learned. A retry asks the endpoint for its
//! request again, so that nothing that must be fresh is sent twice.
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

/// Sends an endpoint's request with a DPoP proof.
///
/// Without a token the peer is an authorization server, with one it is a resource server; the two
/// ask for a nonce in different ways.
#[derive(Debug)]
pub struct Dpop<E> {
    endpoint: E,
    key: DpopKey,
    token: Option<AccessToken>,
    hint: Option<NonceHint>,
    retries: Retries,
    state: State,
}

/// What may still be tried again: each once.
#[derive(Debug)]
struct Retries {
    /// There was no nonce to send.
    first_nonce: bool,
    /// The nonce that was sent is not accepted any more.
    stale_nonce: bool,
    /// The clock is far from the server's.
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

/// What an endpoint made of the last response, and whether that response kept to RFC 9449.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct DpopReply<T> {
    /// The endpoint's output.
    pub output: T,
    /// The response had a 2xx status and no valid `DPoP-Nonce`, which atproto demands.
    pub nonce_missing: bool,
}

/// What the server wants before it answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Demand {
    Nonce,
    Time,
}

const DPOP: HeaderName = HeaderName::from_static("dpop");

impl<E: Endpoint> Dpop<E> {
    /// A request to an authorization server, proved by `key`.
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

    /// The same request to a resource server, with the access token that is bound to the key.
    pub fn bound_to(self, token: &AccessToken) -> Self {
        Self { token: Some(token.clone()), ..self }
    }

    /// The nonce to begin with if the memory has none for its origin.
    pub fn with_hint(self, hint: Option<NonceHint>) -> Self {
        Self { hint, ..self }
    }

    /// The endpoint, for options that are set before the first poll.
    pub fn endpoint_mut(&mut self) -> &mut E {
        &mut self.endpoint
    }

    /// The last nonce that was learned, to be stored with what a later process goes on from.
    pub fn hint(&self) -> Option<&NonceHint> {
        self.hint.as_ref()
    }

    /// Whether the server may have seen the request and its answer is still awaited.
    pub fn is_in_flight(&self, cx: &Cx<'_>) -> bool {
        matches!(&self.state, State::Sent(sent) if cx.is_handed_out(&sent.ticket))
    }

    /// The time of the server that the endpoint names.
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

    /// Puts the proof, and the token if there is one, into the request; exactly one of each.
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

    /// Whether the server's demand can be met by sending once more.
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
                        unreachable!("the state was just looked at")
                    };
                    let request = ready!(draft.poll(&self.endpoint, now, cx));
                    self.state = State::Ended; // stays so if the request can't be made
                    self.state = State::Sent(self.send(request?, cx)?);
                }
                State::Sent(sent) => {
                    let answer = ready!(cx.take(&sent.ticket));
                    let State::Sent(sent) = std::mem::replace(&mut self.state, State::Ended) else {
                        unreachable!("the state was just looked at")
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
                State::Ended => unreachable!("a DPoP request is not polled after its end"),
            }
        }
    }
}

/// A resource server asks by a `DPoP` challenge, an authorization server by an OAuth error.
fn demand(is_resource: bool, response: &Response<Bytes>) -> Option<Demand> {
    #[derive(Deserialize)]
    struct OAuthError {
        error: String,
    }

    let demand = |error: &str| match error {
        "use_dpop_nonce" => Some(Demand::Nonce),
        // An assertion has a time too, and servers have less patience with it than with a proof. They
        // look at it before they act (RFC 6749 section 5.2), so it can be made anew.
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
