//! Pure functions that every driver needs: the check for public addresses, the `Content-Length` of
//! a request, DNS messages, shared runs that wait for each other.

pub(crate) mod address;
#[cfg(feature = "dns")]
pub mod dns;
pub(crate) mod framing;
pub(crate) mod waits;
