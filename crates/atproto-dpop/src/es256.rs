//! `ES256` in pure Rust: ECDSA on P-256 with SHA-256.
//!
//! Signatures are deterministic (RFC 6979) and of the fixed form `r || s` that JOSE wants, never
//! DER. RFC 7518 section 3.4.

use std::sync::Arc;

use atproto_sansio::{Entropy, KeyError, Keys, SecretKey, Signer};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use zeroize::Zeroize;

/// Makes and imports keys that sign in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct P256Keys;

struct P256Signer {
    key: SigningKey,
    public: [u8; 64],
}

/// Whether `signature` is the one of `message` by the key whose public point is `public`.
pub fn verify(public: &[u8; 64], message: &[u8], signature: &[u8; 64]) -> bool {
    let mut point = [4; 65]; // uncompressed, SEC 1 section 2.3.3
    point[1..].copy_from_slice(public);
    let Ok(key) = VerifyingKey::from_sec1_bytes(&point) else { return false };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    key.verify(message, &signature).is_ok()
}

/// The public point of `x` and `y`, if it lies on the curve.
pub(crate) fn is_on_curve(public: &[u8; 64]) -> bool {
    let mut point = [4; 65];
    point[1..].copy_from_slice(public);
    VerifyingKey::from_sec1_bytes(&point).is_ok()
}

impl Keys for P256Keys {
    fn generate(&self, entropy: &mut dyn Entropy) -> Arc<dyn Signer> {
        let mut scalar = [0; 32];
        for attempt in 0_u8.. {
            entropy.fill(&mut scalar);
            // So that it comes to an end even where the entropy never changes.
            scalar[31] ^= attempt;
            let imported = self.import(&SecretKey::new(scalar));
            scalar.zeroize();
            // All but one in 2^32 scalars are in range.
            if let Ok(signer) = imported {
                return signer;
            }
        }
        unreachable!("of 256 scalars that differ one is in range")
    }

    fn import(&self, scalar: &SecretKey) -> Result<Arc<dyn Signer>, KeyError> {
        let key = SigningKey::from_slice(scalar.expose())
            .map_err(|_| KeyError("the private scalar is not in the range of P-256"))?;
        let point = key.verifying_key().to_sec1_point(false);
        let public = point
            .as_bytes()
            .get(1..)
            .and_then(|xy| xy.try_into().ok())
            .ok_or(KeyError("the public point has no x and y"))?;
        Ok(Arc::new(P256Signer { key, public }))
    }
}

impl Signer for P256Signer {
    fn public(&self) -> &[u8; 64] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let signature: Signature =
            self.key.try_sign(message).map_err(|_| KeyError("the signature came out as zero"))?;
        Ok(signature.to_bytes().into())
    }

    fn export(&self) -> Option<SecretKey> {
        let mut scalar: [u8; 32] = self.key.to_bytes().into();
        let secret = SecretKey::new(scalar);
        scalar.zeroize();
        Some(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0);
            self.0 = self.0.wrapping_add(1);
        }
    }

    #[test]
    fn a_signature_verifies_with_its_own_key_and_message_only() {
        let signer = P256Keys.generate(&mut Fixed(7));
        let signature = signer.sign(b"message").unwrap();
        assert!(verify(signer.public(), b"message", &signature));
        assert!(!verify(signer.public(), b"massage", &signature));
        let other = P256Keys.generate(&mut Fixed(8));
        assert!(!verify(other.public(), b"message", &signature));
        assert!(!verify(&[0; 64], b"message", &signature));
        assert!(!verify(signer.public(), b"message", &[0; 64]));
    }

    #[test]
    fn scalars_out_of_range_are_refused_and_generation_goes_on() {
        assert!(P256Keys.import(&SecretKey::new([0; 32])).is_err());
        assert!(P256Keys.import(&SecretKey::new([0xff; 32])).is_err());
        let signer = P256Keys.generate(&mut Fixed(0xff)); // 0xff…, then 0x00…
        assert_eq!(signer.export().unwrap().expose()[..31], [0; 31]);
    }
}
