//! The curves of keys, and the algorithm that signs with each: `ES256` with P-256 and, with the
//! feature `es256k`, `ES256K` with secp256k1.

pub(crate) mod es256;
#[cfg(feature = "es256k")]
mod es256k;

use std::sync::Arc;

use atproto_sansio::{KeyError, Keys, SecretKey, Signer, printable};

use crate::error::DpopError;

/// The curve of a key. Both curves have points of two coordinates and scalars, 32 bytes each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Curve {
    /// NIST P-256, which every AT Protocol server accepts.
    P256,
    /// The curve of RFC 8812, for DPoP keys that another client has made.
    #[cfg(feature = "es256k")]
    Secp256k1,
}

impl Curve {
    /// Reads the members `kty` and `crv` of a JWK.
    pub(crate) fn of_members(kty: &str, crv: &str) -> Result<Self, DpopError> {
        match (kty, crv) {
            ("EC", "P-256") => Ok(Self::P256),
            #[cfg(feature = "es256k")]
            ("EC", "secp256k1") => Ok(Self::Secp256k1),
            #[cfg(not(feature = "es256k"))]
            ("EC", "secp256k1") => Err(DpopError::Es256kDisabled),
            _ => {
                let (kty, crv) = (printable(kty), printable(crv));
                let what = format!("`kty` must be EC and `crv` P-256, not {kty} and {crv}");
                Err(DpopError::Jwk(what))
            }
        }
    }

    /// The member `crv` of a JWK.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            #[cfg(feature = "es256k")]
            Self::Secp256k1 => "secp256k1",
        }
    }

    /// The member `alg` of a JOSE header.
    pub(crate) fn alg(self) -> &'static str {
        match self {
            Self::P256 => "ES256",
            #[cfg(feature = "es256k")]
            Self::Secp256k1 => "ES256K",
        }
    }

    /// Whether the point `public` (`x` and `y`) is on the curve.
    pub(crate) fn has_point(self, public: &[u8; 64]) -> bool {
        match self {
            Self::P256 => es256::is_on_curve(public),
            #[cfg(feature = "es256k")]
            Self::Secp256k1 => es256k::is_on_curve(public),
        }
    }

    /// Whether `signature` is that of `message` by the key with the public point `public`.
    pub(crate) fn verify(self, public: &[u8; 64], message: &[u8], signature: &[u8; 64]) -> bool {
        match self {
            Self::P256 => es256::verify(public, message, signature),
            #[cfg(feature = "es256k")]
            Self::Secp256k1 => es256k::verify(public, message, signature),
        }
    }

    /// Imports a private scalar, and checks that `public` is its point. A scalar of P-256 is held by
    /// the crypto backend `keys`, and one of secp256k1 by this crate, because [`Keys`] has only P-256.
    pub(crate) fn import(
        self,
        scalar: &SecretKey,
        public: &[u8; 64],
        keys: &dyn Keys,
    ) -> Result<Arc<dyn Signer>, KeyError> {
        let signer = match self {
            Self::P256 => keys.import(scalar, Some(public)),
            #[cfg(feature = "es256k")]
            Self::Secp256k1 => es256k::import(scalar),
        }?;
        // A backend is the program's own, and may not have compared the points.
        if signer.public() != public {
            return Err(KeyError::MISMATCH);
        }
        Ok(signer)
    }
}
