//! Pure functions that every driver needs: the check for public addresses, the `Content-Length` of
//! a request, DNS messages.

pub(crate) mod address;
#[cfg(feature = "dns")]
pub mod dns;
pub(crate) mod framing;
