//! What can keep a proof from being made.

use std::fmt;

use atproto_sansio::KeyError;

/// Why no proof could be made or no key be read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DpopError {
    /// The key can't sign, or is no P-256 key.
    Key(KeyError),
    /// A key's JSON is not the JWK of a P-256 key: what is wrong with it.
    Jwk(&'static str),
    /// A PEM file does not hold a P-256 key: what it holds.
    Pem(&'static str),
    /// The URL of a request can't be a proof's `htu`.
    Htu,
    /// The access token can't stand in a header.
    Token,
    /// A signature that was made elsewhere does not belong to the key.
    Signature,
    /// A claim has a character that would end it, such as a quotation mark: which claim.
    Claim(&'static str),
}

impl fmt::Display for DpopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => write!(f, "the DPoP key can't be used: {error}"),
            Self::Jwk(what) => {
                write!(f, "not the JWK of a P-256 key (RFC 7518 section 6.2): {what}")
            }
            Self::Pem(what) => write!(f, "not a P-256 private key in PEM: {what}"),
            Self::Htu => {
                f.write_str("a DPoP proof needs an absolute http(s) URL (RFC 9449 section 4.2)")
            }
            Self::Signature => {
                f.write_str("the signature that was made elsewhere is not the key's")
            }
            Self::Claim(name) => {
                write!(f, "the value of the claim `{name}` has a character that it must not have")
            }
            Self::Token => f.write_str(
                "the access token has characters that no Authorization header may carry \
                 (RFC 9449 section 7.1)",
            ),
        }
    }
}

impl std::error::Error for DpopError {}

impl From<KeyError> for DpopError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}
