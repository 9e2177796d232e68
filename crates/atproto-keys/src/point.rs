//! Public points. Neither ring nor AWS-LC computes one from a private scalar alone, so pure Rust does.

use std::sync::Arc;

use atproto_dpop::P256Keys;
use atproto_sansio::{Entropy, KeyError, Keys, SecretKey, Signer};

/// The public point of a scalar. A point that is given is not checked.
pub(crate) fn of(scalar: &SecretKey, public: Option<&[u8; 64]>) -> Result<[u8; 64], KeyError> {
    match public {
        Some(public) => Ok(*public),
        None => Ok(*P256Keys.import(scalar, None)?.public()),
    }
}

/// The point in the form of SEC 1 section 2.3.3 without compression: 4, `x` and `y`.
pub(crate) fn uncompressed(public: &[u8; 64]) -> [u8; 65] {
    let mut point = [4; 65];
    point[1..].copy_from_slice(public);
    point
}

/// Generates the key that [`P256Keys`] makes of the same entropy, and imports it into `keys`.
pub(crate) fn generate(keys: &dyn Keys, entropy: &mut dyn Entropy) -> Arc<dyn Signer> {
    let signer = P256Keys.generate(entropy);
    let scalar = signer.export().expect("keys of P256Keys can be exported");
    keys.import(&scalar, Some(signer.public())).expect("a generated key is valid in each backend")
}
