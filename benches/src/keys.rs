//! Keys without the cost of a signature, so that everything else can be seen.

use std::sync::Arc;

use atproto_sansio::{Entropy, KeyError, Keys, SecretKey, Signer};

/// Keys whose signature is always the same bytes.
#[derive(Clone, Copy, Debug)]
pub struct Constant;

struct ConstantSigner([u8; 64]);

impl Keys for Constant {
    fn generate(&self, _: &mut dyn Entropy) -> Arc<dyn Signer> {
        Arc::new(ConstantSigner([7; 64]))
    }

    fn import(
        &self,
        _: &SecretKey,
        public: Option<&[u8; 64]>,
    ) -> Result<Arc<dyn Signer>, KeyError> {
        Ok(Arc::new(ConstantSigner(*public.unwrap_or(&[7; 64]))))
    }
}

impl Signer for ConstantSigner {
    fn public(&self) -> &[u8; 64] {
        &self.0
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], KeyError> {
        Ok([7; 64])
    }

    fn export(&self) -> Option<SecretKey> {
        None
    }
}
