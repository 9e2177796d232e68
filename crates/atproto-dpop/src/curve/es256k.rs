//! `ES256K` in pure Rust: ECDSA on secp256k1 with SHA-256.
//!
//! Signatures are deterministic (RFC 6979), in the format of JOSE: `r || s` with 32 bytes each. The
//! signer of k256 makes `s` low, because some verifiers refuse a high one. RFC 8812 has no such rule,
//! and other clients sign with either, so that [`verify`] accepts both. RFC 8812 section 3.2.

use std::sync::Arc;

use atproto_sansio::{KeyError, SecretKey, Signer};
use k256::ecdsa::signature::{Signer as _, Verifier as _};
use k256::ecdsa::{Signature, SigningKey, VerifyingKey};
use zeroize::Zeroize;

struct Es256kSigner {
    key: SigningKey,
    public: [u8; 64],
}

/// Returns whether `signature` (`r` and `s`) is the `ES256K` signature of `message` by the key with
/// the public point `public` (`x` and `y`). Returns false if the point is not on the curve.
pub(super) fn verify(public: &[u8; 64], message: &[u8], signature: &[u8; 64]) -> bool {
    let Some(key) = verifying_key(public) else { return false };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    // The verifier of k256 refuses a high `s`.
    key.verify(message, &signature.normalize_s()).is_ok()
}

/// Whether the point `public` (`x` and `y`) is on the secp256k1 curve.
pub(super) fn is_on_curve(public: &[u8; 64]) -> bool {
    verifying_key(public).is_some()
}

fn verifying_key(public: &[u8; 64]) -> Option<VerifyingKey> {
    let mut point = [4; 65]; // uncompressed, SEC 1 section 2.3.3
    point[1..].copy_from_slice(public);
    VerifyingKey::from_sec1_bytes(&point).ok()
}

/// Creates the key with the private scalar `scalar`.
pub(super) fn import(scalar: &SecretKey) -> Result<Arc<dyn Signer>, KeyError> {
    let key = SigningKey::from_slice(scalar.expose())
        .map_err(|_| KeyError("the private scalar is not in the range of secp256k1"))?;
    let point = key.verifying_key().to_sec1_point(false);
    let public = point
        .as_bytes()
        .get(1..)
        .and_then(|xy| xy.try_into().ok())
        .ok_or(KeyError("the public point has no coordinates x and y"))?;
    Ok(Arc::new(Es256kSigner { key, public }))
}

impl Signer for Es256kSigner {
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

    /// Order of secp256k1, halved: the largest low `s`.
    const HALF: [u8; 32] = [
        0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b,
        0x20, 0xa0,
    ];

    fn key(byte: u8) -> Arc<dyn Signer> {
        let mut scalar = [0; 32];
        scalar[31] = byte;
        import(&SecretKey::new(scalar)).unwrap()
    }

    #[test]
    fn signatures_are_the_deterministic_ones_that_all_implementations_know() {
        // The usual vector for RFC 6979 with secp256k1 and SHA-256: the private key is one.
        let expected = "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
                        2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5";
        let signature = key(1).sign(b"Satoshi Nakamoto").unwrap();
        let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn a_signature_has_a_low_s_and_verifies_with_its_own_key_and_message_only() {
        // Rule E-09
        let (signer, other) = (key(7), key(8));
        for message in (0..32).map(|byte| [byte; 8]) {
            let signature = signer.sign(&message).unwrap();
            assert!(signature[32..] <= HALF[..]);
            assert!(verify(signer.public(), &message, &signature));
            assert!(!verify(signer.public(), b"another", &signature));
            assert!(!verify(other.public(), &message, &signature));
            assert!(!verify(&[0; 64], &message, &signature));
            assert!(!verify(signer.public(), &message, &[0; 64]));
        }
    }

    #[test]
    fn scalars_out_of_range_are_refused() {
        assert!(import(&SecretKey::new([0; 32])).is_err());
        assert!(import(&SecretKey::new([0xff; 32])).is_err());
    }
}
