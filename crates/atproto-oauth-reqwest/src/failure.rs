//! Translates reqwest's errors into a [`TransportError`], whose [`Phase`] says how far the request
//! got.

use std::error::Error;
use std::iter::successors;

use atproto_sansio::{Phase, TransportError};

use crate::resolve::Forbidden;

/// The error of a request for which no reply head arrived.
pub(crate) fn without_reply(error: &reqwest::Error) -> TransportError {
    let forbidden = causes(error).find_map(|cause| cause.downcast_ref());
    if let Some(Forbidden(rule)) = forbidden {
        return TransportError::blocked(rule.clone());
    }
    let phase = match error.is_connect() {
        // `is_connect` covers name resolution, TCP connection and TLS handshake only.
        true => Phase::NotSent,
        // hyper has no other way to tell this error from others.
        false if explain(error) == "message head is too large" => Phase::TooLarge,
        false => Phase::MaybeSent,
    };
    TransportError::new(phase, explain(error))
}

/// The error of a reply whose body is incomplete.
pub(crate) fn within_body(error: &reqwest::Error) -> TransportError {
    let phase = match has_large_trailers(error) {
        true => Phase::TooLarge,
        false => Phase::Truncated,
    };
    TransportError::new(phase, explain(error))
}

/// Whether hyper refused the trailers for their size or number. hyper tells them from other malformed
/// bodies by the text of the error only.
fn has_large_trailers(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        cause.is::<std::io::Error>() && cause.to_string().starts_with("chunk trailers")
    })
}

/// Returns the text of the innermost cause. The text of [`reqwest::Error`] itself repeats the URL;
/// the text of a cause contains nothing of the request or the reply.
fn explain(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .map_or_else(|| "reqwest failed without a cause".to_owned(), |cause| cause.to_string())
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    successors(error.source(), |&cause| cause.source())
}
