//! Translates ureq's errors into a [`TransportError`], whose [`Phase`] says how far the request
//! got.

use atproto_sansio::{Phase, TransportError};
use ureq::Error;

/// The error of a request for which no reply head arrived.
pub(crate) fn without_reply(error: Error, was_begun: bool) -> TransportError {
    let error = match own(error) {
        Ok(error) => return error,
        Err(error) => error,
    };
    let phase = match &error {
        _ if !was_begun => Phase::NotSent,
        Error::Timeout(_) => Phase::TimedOut,
        Error::LargeResponseHeader(..) => Phase::TooLarge,
        // ureq tells such a head from a malformed one by the text of the error only.
        Error::Protocol(error) if error.to_string().ends_with("too many headers") => {
            Phase::TooLarge
        }
        _ => Phase::MaybeSent,
    };
    TransportError::new(phase, explain(&error))
}

/// The error of a reply whose body is incomplete.
pub(crate) fn within_body(error: Error) -> TransportError {
    own(error).unwrap_or_else(|error| {
        let phase = match error {
            Error::Timeout(_) => Phase::TimedOut,
            _ => Phase::Truncated,
        };
        TransportError::new(phase, explain(&error))
    })
}

/// Returns the error of this crate's resolver or connection that `error` passes on, if any.
fn own(error: Error) -> Result<TransportError, Error> {
    match error {
        Error::Other(other) => {
            other.downcast::<TransportError>().map(|own| *own).map_err(Error::Other)
        }
        error => Err(error),
    }
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
        Error::Protocol(error) if error.to_string().ends_with("too many headers") => {
            "the head of the reply has too many headers".to_owned()
        }
        Error::Protocol(_) => "a message is not well-formed HTTP/1.1".to_owned(),
        _ => "ureq failed; its error text is left out because it may repeat the request".to_owned(),
    }
}
