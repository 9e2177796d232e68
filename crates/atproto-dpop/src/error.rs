//! Errors of keys and of proofs.

use std::fmt;

use atproto_sansio::KeyError;

/// Reason for which a proof can't be signed, a request can't carry a proof, or a key can't be read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DpopError {
    /// The crypto backend can't import the key or can't sign with it.
    Key(KeyError),
    /// A text is not the JWK of a usable key. The value names the rule that is violated.
    Jwk(String),
    /// The private key is encrypted, and was read without a passphrase.
    Encrypted,
    /// The passphrase does not decrypt the private key.
    Passphrase,
    /// The JWK is of a secp256k1 key (`ES256K`), and this program is built without the feature
    /// `es256k`. Enable the feature in this crate, or in the adapter.
    Es256kDisabled,
    /// The private key is in PEM, and this program is built without the feature `pem`.
    PemDisabled,
    /// A PEM text does not hold a P-256 private key. The value names its content.
    Pem(String),
    /// A public key of a key service is not one of P-256 in DER or PEM. The value names its content.
    PublicKey(String),
    /// The request has no absolute `http` or `https` URL, so its proof can't have an `htu`; or the path of its
    /// URL is not in the normal form of the URL standard, so a transport may send another path than the
    /// `htu` has.
    Htu,
    /// The access token is empty, or has characters other than visible ASCII.
    Token,
    /// The signature of a remote signer does not verify with the public key.
    Signature,
    /// A claim of a proof has a quotation mark, a backslash, or a character that is not visible
    /// ASCII. The value is the name of the claim.
    Claim(&'static str),
}

impl fmt::Display for DpopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => write!(f, "the key can't be used: {error}"),
            Self::Jwk(what) => {
                write!(f, "not the JWK of a usable key (RFC 7518 section 6.2): {what}")
            }
            Self::Encrypted => f.write_str(
                "the private key is encrypted; read it with its passphrase (`parse_with_passphrase`, feature \
                 `encrypted-keys`), or decrypt it with `openssl pkey -in key.pem -out plain.pem`",
            ),
            Self::Passphrase => f.write_str(
                "the passphrase does not decrypt the private key; correct the passphrase, or give its own key",
            ),
            Self::Es256kDisabled => f.write_str(
                "the key is of secp256k1 (ES256K), which this program is built without: enable the \
                 Cargo feature `es256k`",
            ),
            Self::PemDisabled => f.write_str(
                "the private key is in PEM, which this program is built without: enable the Cargo feature \
                 `pem`, or give the key as a JWK",
            ),
            Self::Pem(what) => write!(f, "not a P-256 private key in PEM: {what}"),
            Self::PublicKey(what) => write!(f, "not a public P-256 key in DER or PEM: {what}"),
            Self::Htu => f.write_str(
                "a DPoP proof needs a request with an absolute http or https URL, whose path is in the \
                 normal form of the URL standard (RFC 9449 section 4.2)",
            ),
            Self::Signature => f.write_str(
                "the signature of the remote signer does not verify with the public key; check \
                 that the key id and the public JWK are of the same key",
            ),
            Self::Claim(name) => {
                write!(
                    f,
                    "the claim `{name}` of a DPoP proof has a character that is not allowed; only \
                     visible ASCII without quotation marks and backslashes is"
                )
            }
            Self::Token => f.write_str(
                "the access token is empty or has characters that no Authorization header may \
                 carry (RFC 9449 section 7.1)",
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
