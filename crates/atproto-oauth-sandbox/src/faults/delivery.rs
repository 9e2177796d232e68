//! What becomes of a request: an answer, whole or not, or none.

use std::time::Duration;

use atproto_sansio::{Phase, TransportError};
use bytes::Bytes;
use http::Response;

use crate::faults::action::Action;

/// What a client gets for its request, and how long that takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Delivery {
    /// What arrives.
    pub outcome: Outcome,
    /// How long it takes beyond the way there and back.
    pub delay: Duration,
    /// Over how long the body trickles in.
    pub trickle: Duration,
}

/// What arrives.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "whoever serves it decides on each of them")]
pub enum Outcome {
    /// The answer.
    Whole(Response<Bytes>),
    /// The answer's head and this many bytes of its body; then the connection breaks.
    Cut(Response<Bytes>, usize),
    /// The connection breaks without an answer.
    Broken,
    /// Nobody listens there.
    Refused,
    /// There is no answer, and the connection stays open.
    Silence,
}

impl Delivery {
    pub(crate) fn now(outcome: Outcome) -> Self {
        Self { outcome, delay: Duration::ZERO, trickle: Duration::ZERO }
    }

    /// What becomes of an answer on its way back; what is none stays so.
    pub(crate) fn of(outcome: Outcome, actions: &[Action]) -> Self {
        let mut delivery = Self::now(outcome);
        if !matches!(delivery.outcome, Outcome::Whole(_)) {
            return delivery;
        }
        for action in actions {
            match action {
                Action::LoseAnswer => delivery.outcome = Outcome::Broken,
                Action::Silence => delivery.outcome = Outcome::Silence,
                Action::Cut(after) => {
                    if let Outcome::Whole(response) = &delivery.outcome {
                        delivery.outcome = Outcome::Cut(response.clone(), *after);
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

    /// The answer, if it arrived whole.
    pub fn whole(self) -> Option<Response<Bytes>> {
        match self.outcome {
            Outcome::Whole(response) => Some(response),
            _ => None,
        }
    }

    /// As a transport would report it.
    ///
    /// # Errors
    ///
    /// There was no whole answer.
    pub fn into_result(self) -> Result<Response<Bytes>, TransportError> {
        let (phase, detail) = match self.outcome {
            Outcome::Whole(response) => return Ok(response),
            Outcome::Cut(_, at) => (Phase::Truncated, format!("the body ended after {at} bytes")),
            Outcome::Broken => (Phase::MaybeSent, "the connection broke".to_owned()),
            Outcome::Refused => (Phase::NotSent, "the connection was refused".to_owned()),
            Outcome::Silence => (Phase::TimedOut, "there was no answer".to_owned()),
        };
        Err(TransportError::new(phase, detail))
    }
}
