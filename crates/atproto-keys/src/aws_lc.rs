//! Keys of AWS-LC.

use std::sync::Arc;

use atproto_sansio::{Entropy, KeyError, Keys, SecretKey, Signer};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

use crate::point;

/// Crypto backend of AWS-LC.
///
/// Signatures are randomized with entropy of the system. A key can be exported. The copy of the private scalar
/// in this crate is wiped, and AWS-LC wipes its own.
///
/// AWS-LC computes the public point of an import, and refuses another one. A generated key, or an import
/// without a point, takes one more computation in pure Rust.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLcKeys;

struct AwsLcSigner {
    key: EcdsaKeyPair,
    scalar: SecretKey,
    public: [u8; 64],
}

impl Keys for AwsLcKeys {
    fn generate(&self, entropy: &mut dyn Entropy) -> Arc<dyn Signer> {
        point::generate(self, entropy)
    }

    fn import(
        &self,
        scalar: &SecretKey,
        public: Option<&[u8; 64]>,
    ) -> Result<Arc<dyn Signer>, KeyError> {
        let public = point::of(scalar, public)?;
        let key = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            scalar.expose(),
            &point::uncompressed(&public),
        );
        let key = key.map_err(|_| KeyError::MISMATCH)?;
        Ok(Arc::new(AwsLcSigner { key, scalar: scalar.clone(), public }))
    }
}

impl Signer for AwsLcSigner {
    fn public(&self) -> &[u8; 64] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let signature = self.key.sign(&SystemRandom::new(), message);
        let signature =
            signature.map_err(|_| KeyError("AWS-LC can't sign: the system has no entropy"))?;
        signature
            .as_ref()
            .try_into()
            .map_err(|_| KeyError("the signature of AWS-LC is not of 64 bytes"))
    }

    fn export(&self) -> Option<SecretKey> {
        Some(self.scalar.clone())
    }
}
