//! Translates ureq's errors into a [`TransportError`], whose [`Phase`] says how far the request
//! got.

use atproto_sansio::{Phase, TransportError};
use ureq::Error;

use crate::resolve::Forbidden;

/// The error of a request for which no reply head arrived.
pub(crate) fn without_reply(error: Error, was_begun: bool) -> TransportError {
    let error = match error {
        Error::Other(other) => match other.downcast::<Forbidden>() {
            Ok(forbidden) => return TransportError::blocked(forbidden.0),
            Err(other) => Error::Other(other),
        },
        error => error,
    };
    let phase = match error {
        _ if !was_begun => Phase::NotSent,
        Error::Timeout(_) => Phase::TimedOut,
        Error::LargeResponseHeader(..) => Phase::TooLarge,
        // ureq does not make the type of this error public.
        Error::Protocol(ref error) if error.to_string().ends_with("too many headers") => {
            Phase::TooLarge
        }
        _ => Phase::MaybeSent,
    };
    TransportError::new(phase, explain(&error))
}

/// The error of a reply whose body is incomplete.
pub(crate) fn within_body(error: &Error) -> TransportError {
    let phase = match error {
        Error::Timeout(_) => Phase::TimedOut,
        _ => Phase::Truncated,
    };
    TransportError::new(phase, explain(error))
}

/// Describes `error` without content of the request or the reply, which ureq's own text may
/// contain.
fn explain(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::Timeout(reason) => format!("the call timed out ({reason})"),
        Error::HostNotFound => "the host has no address".to_owned(),
        Error::Rustls(error) => format!("TLS: {error}"),
        Error::Tls(reason) => format!("TLS: {reason}"),
        Error::LargeResponseHeader(..) => "the head of the reply is too large".to_owned(),
        Error::Protocol(_) => "a message is not well-formed HTTP/1.1".to_owned(),
        _ => "ureq failed; its error text is left out because it may repeat the request".to_owned(),
    }
}
