//! Pure functions that every driver needs: the check for public addresses, the `Content-Length` of
//! a request, DNS messages, remembered addresses, shared runs that wait for each other.

pub(crate) mod address;
pub(crate) mod address_cache;
#[cfg(feature = "dns")]
pub mod dns;
pub(crate) mod framing;
pub(crate) mod waits;
