#![doc = include_str!("../README.md")]

mod challenge;
mod curve;
mod error;
#[cfg(feature = "pem")]
mod export;
mod import;
mod jwk;
mod jws;
mod key;
mod layer;
mod nonce;
mod proof;
mod skew;
mod token;

pub use challenge::{Challenge, challenges};
pub use curve::es256::{P256Keys, verify};
pub use error::DpopError;
pub use import::PrivateKey;
#[cfg(feature = "pem")]
pub use import::signature_from_der;
pub use jwk::Jwk;
pub use jws::{JwsHeader, Unsigned};
pub use key::DpopKey;
pub use layer::{Dpop, DpopReply, Retry, RetryReason};
pub use nonce::{NONCES, NonceHint, nonce_age};
pub use proof::{Proof, htu};
pub use skew::{CLOCK_OFFSETS, ClockOffset, clock_offset};
pub use token::AccessToken;
