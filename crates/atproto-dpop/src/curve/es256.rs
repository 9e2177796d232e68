//! `ES256` in pure Rust: ECDSA on P-256 with SHA-256.
//!
//! Signatures are deterministic (RFC 6979). They have the format of JOSE, `r || s` with 32 bytes
//! each, never DER. RFC 7518 section 3.4.

use std::sync::Arc;

use atproto_sansio::{Entropy, KeyError, Keys, SecretKey, Signer};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use zeroize::Zeroize;

/// Crypto backend in pure Rust, whose keys are held in the memory of this process and can be
/// exported.
#[derive(Clone, Copy, Debug, Default)]
pub struct P256Keys;

struct P256Signer {
    key: SigningKey,
    public: [u8; 64],
}

/// Returns whether `signature` (`r` and `s`) is the `ES256` signature of `message` by the key with
/// the public point `public` (`x` and `y`, 32 bytes each). Returns false if the point is not on the
/// curve.
pub fn verify(public: &[u8; 64], message: &[u8], signature: &[u8; 64]) -> bool {
    let mut point = [4; 65]; // uncompressed, SEC 1 section 2.3.3
    point[1..].copy_from_slice(public);
    let Ok(key) = VerifyingKey::from_sec1_bytes(&point) else { return false };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    key.verify(message, &signature).is_ok()
}

/// Whether the point `public` (`x` and `y`, 32 bytes each) is on the P-256 curve.
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
            // Scalars out of range are zero, or begin with 0xff. Each attempt changes the first byte,
            // so that the loop ends even if the entropy source returns the same bytes each time.
            scalar[0] ^= attempt;
            let imported = self.import(&SecretKey::new(scalar), None);
            scalar.zeroize();
            // Only about one random scalar in 2^32 is out of the range of P-256.
            if let Ok(signer) = imported {
                return signer;
            }
        }
        unreachable!("at least one of 256 different scalars is in the range of P-256")
    }

    fn import(
        &self,
        scalar: &SecretKey,
        public: Option<&[u8; 64]>,
    ) -> Result<Arc<dyn Signer>, KeyError> {
        let key = SigningKey::from_slice(scalar.expose())
            .map_err(|_| KeyError("the private scalar is not in the range of P-256"))?;
        let point = key.verifying_key().to_sec1_point(false);
        let computed = point
            .as_bytes()
            .get(1..)
            .and_then(|xy| xy.try_into().ok())
            .ok_or(KeyError("the public point has no coordinates x and y"))?;
        if public.is_some_and(|public| *public != computed) {
            return Err(KeyError::MISMATCH);
        }
        Ok(Arc::new(P256Signer { key, public: computed }))
    }
}

impl Signer for P256Signer {
    fn public(&self) -> &[u8; 64] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let signature: Signature = self
            .key
            .try_sign(message)
            .map_err(|_| KeyError("ECDSA signing failed, because r or s is zero"))?;
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
        assert!(P256Keys.import(&SecretKey::new([0; 32]), None).is_err());
        assert!(P256Keys.import(&SecretKey::new([0xff; 32]), None).is_err());
        let signer = P256Keys.generate(&mut Fixed(0xff)); // 0xff…, then 0x00…
        assert_eq!(signer.export().unwrap().expose()[1..], [0; 31]);
    }
}
