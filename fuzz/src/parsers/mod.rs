//! One target for each parser of untrusted or stored data.

pub(crate) mod callback;
pub(crate) mod client;
pub(crate) mod dns;
pub(crate) mod documents;
pub(crate) mod headers;
pub(crate) mod keys;
pub(crate) mod names;
pub(crate) mod policy;
pub(crate) mod records;
pub(crate) mod tokens;

use std::borrow::Cow;

/// The bytes as text. Bytes that are not UTF-8 become U+FFFD, so that no input is wasted.
fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}
