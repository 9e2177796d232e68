//! What reqwest's errors mean to a machine: how far the request got.

use std::error::Error;
use std::iter::successors;

use atproto_sansio::{Phase, TransportError};

use crate::resolve::Forbidden;

/// A request that brought no head of a reply.
pub(crate) fn without_reply(error: &reqwest::Error) -> TransportError {
    let forbidden = causes(error).find_map(|cause| cause.downcast_ref());
    if let Some(Forbidden(rule)) = forbidden {
        return TransportError::blocked(rule.clone());
    }
    let phase = match error.is_connect() {
        // Names, connections and TLS handshakes, and nothing else.
        true => Phase::NotSent,
        false => Phase::MaybeSent,
    };
    TransportError::new(phase, explain(error))
}

/// A reply whose body did not arrive whole.
pub(crate) fn within_body(error: &reqwest::Error) -> TransportError {
    TransportError::new(Phase::Truncated, explain(error))
}

/// The cause of it all. reqwest's own sentences repeat the URL; the causes repeat nothing of the
/// request or the reply.
fn explain(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .map_or_else(|| "the HTTP library refused".to_owned(), |cause| cause.to_string())
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    successors(error.source(), |&cause| cause.source())
}
