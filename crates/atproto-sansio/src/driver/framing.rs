//! [`declare_length`]: the `Content-Length` header of a request.
//!
//! Servers read a request with two lengths, or with a length and a transfer encoding, in different
//! ways (request smuggling). For this reason a request with contradicting headers is never sent.
//!
//! RFC 9112 section 6.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method};

use crate::error::{Phase, TransportError};

/// Writes `Content-Length` into `headers` and returns the number of bytes to send.
///
/// `length` is the length of the body, or `None` for a stream of unknown length. If `headers` has
/// no `Content-Length` either, the result is `None`, and the driver sends the body in chunks. A
/// request with an empty body gets the header only if its method is `POST`, `PUT` or `PATCH`.
///
/// ```
/// use atproto_sansio::declare_length;
/// use http::{HeaderMap, Method};
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(declare_length(&Method::POST, &mut headers, Some(4)).unwrap(), Some(4));
/// assert_eq!(headers["content-length"], "4");
/// assert!(declare_length(&Method::POST, &mut headers, Some(5)).is_err());
/// ```
///
/// # Errors
///
/// [`Phase::NotSent`] if `headers` has a `Transfer-Encoding`, a `Content-Length` that is not a
/// number, or one that differs from `length`.
pub fn declare_length(
    method: &Method,
    headers: &mut HeaderMap,
    length: Option<u64>,
) -> Result<Option<u64>, TransportError> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(not_sent("remove the Transfer-Encoding header: the driver sets it"));
    }
    let declared = match headers.get(CONTENT_LENGTH) {
        Some(value) => {
            Some(number(value).ok_or_else(|| not_sent("Content-Length is not a number"))?)
        }
        None => None,
    };
    match (declared, length) {
        (Some(declared), Some(length)) if declared != length => Err(not_sent(format!(
            "Content-Length is {declared}, but the body of the request has {length} bytes"
        ))),
        (None, Some(0)) if !promises_body(method) => Ok(Some(0)),
        (declared, length) => {
            let length = length.or(declared);
            if let Some(length) = length {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            Ok(length)
        }
    }
}

fn number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

/// Whether the method defines the meaning of a body, so that a server may expect a length even for
/// an empty body. RFC 9110 section 8.6.
fn promises_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn not_sent(reason: impl Into<String>) -> TransportError {
    TransportError::new(Phase::NotSent, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declared_length_is_the_length_of_the_body() {
        for (method, declared, length, expected) in [
            (Method::POST, None, Some(4), Ok(Some("4"))),
            (Method::POST, None, Some(0), Ok(Some("0"))),
            (Method::GET, None, Some(0), Ok(None)),
            (Method::GET, None, Some(1), Ok(Some("1"))),
            (Method::POST, Some("4"), Some(4), Ok(Some("4"))),
            (Method::POST, Some("4"), None, Ok(Some("4"))),
            (Method::POST, None, None, Ok(None)),
            (Method::POST, Some("3"), Some(4), Err(())),
            (Method::POST, Some("x"), Some(4), Err(())),
            (Method::POST, Some("-4"), None, Err(())),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(declared) = declared {
                headers.insert(CONTENT_LENGTH, declared.parse().unwrap());
            }
            let outcome = declare_length(&method, &mut headers, length).map_err(|error| {
                assert_eq!(error.phase, Phase::NotSent);
            });
            let shown = headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap());
            assert_eq!(outcome.map(|_| shown), expected, "{method} {declared:?} {length:?}");
        }
        let mut chunked = HeaderMap::new();
        chunked.insert(TRANSFER_ENCODING, "chunked".parse().unwrap());
        assert!(declare_length(&Method::POST, &mut chunked, Some(4)).is_err());
    }
}
