//! Outcome of a request: a complete response, a truncated response, or none.

use std::time::Duration;

use atproto_sansio::{Phase, TransportError};
use bytes::Bytes;
use http::Response;

use crate::faults::action::Action;

/// Outcome of one request for its sender, and the delays of the response.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Delivery {
    /// The response, or the failure of the connection.
    pub outcome: Outcome,
    /// Time until the head of the response arrives, in addition to the round-trip time.
    pub delay: Duration,
    /// Time over which the body arrives, in addition to `delay`.
    pub trickle: Duration,
}

/// A complete response, a truncated response, or the reason for no response.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a program that serves it must handle each variant")]
pub enum Outcome {
    /// The complete response.
    Complete(Response<Bytes>),
    /// The head of the response and this many bytes of its body; then the connection is closed.
    Truncated(Response<Bytes>, usize),
    /// The connection is closed without a response.
    Closed,
    /// The connection is refused: the host does not exist or does not listen.
    Refused,
    /// The connection stays open without a response.
    Silence,
}

impl Delivery {
    /// Returns a delivery without delays.
    pub(crate) fn now(outcome: Outcome) -> Self {
        Self { outcome, delay: Duration::ZERO, trickle: Duration::ZERO }
    }

    /// Applies the effects on the delivery of a response. An outcome without a response does not
    /// change.
    pub(crate) fn of(outcome: Outcome, actions: &[Action]) -> Self {
        let mut delivery = Self::now(outcome);
        if !matches!(delivery.outcome, Outcome::Complete(_)) {
            return delivery;
        }
        for action in actions {
            match action {
                Action::LoseAnswer => delivery.outcome = Outcome::Closed,
                Action::Silence => delivery.outcome = Outcome::Silence,
                Action::Cut(after) => {
                    if let Outcome::Complete(response) = &delivery.outcome {
                        delivery.outcome = Outcome::Truncated(response.clone(), *after);
                    }
                }
                Action::Delay(by) => delivery.delay = delivery.delay.saturating_add(*by),
                Action::Trickle(over) => {
                    delivery.trickle = delivery.trickle.saturating_add(*over);
                }
                _ => {}
            }
        }
        delivery
    }

    /// Returns the response if it is complete.
    pub fn whole(self) -> Option<Response<Bytes>> {
        match self.outcome {
            Outcome::Complete(response) => Some(response),
            _ => None,
        }
    }

    /// Returns the complete response, or the error that a transport reports for the failure. The
    /// delays are ignored.
    ///
    /// # Errors
    ///
    /// Fails with [`Phase::Truncated`] if the response is cut, with [`Phase::MaybeSent`] if the
    /// connection was closed, with [`Phase::NotSent`] if it was refused, and with
    /// [`Phase::TimedOut`] if there was no response.
    pub fn into_result(self) -> Result<Response<Bytes>, TransportError> {
        let (phase, detail) = match self.outcome {
            Outcome::Complete(response) => return Ok(response),
            Outcome::Truncated(_, at) => {
                (Phase::Truncated, format!("the response body was cut after {at} bytes"))
            }
            Outcome::Closed => {
                (Phase::MaybeSent, "the connection was closed before the response".to_owned())
            }
            Outcome::Refused => (Phase::NotSent, "the connection was refused".to_owned()),
            Outcome::Silence => (Phase::TimedOut, "there was no response".to_owned()),
        };
        Err(TransportError::new(phase, detail))
    }
}
