//! Pure functions that every driver needs: which addresses are public, the length of a request's
//! body, DNS messages.

pub(crate) mod address;
#[cfg(feature = "dns")]
pub mod dns;
pub(crate) mod framing;
