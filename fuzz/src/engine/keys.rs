//! Keys whose signatures are valid and cost nothing: the nonce of ECDSA is always one, so that its point is
//! the generator. Such a signature gives the private key away.

use std::sync::{Arc, LazyLock};

use atproto_dpop::P256Keys;
use atproto_sansio::{Entropy, KeyError, Keys, SecretKey, Signer};
use p256::elliptic_curve::ops::Reduce;
use p256::{FieldBytes, Scalar};
use sha2::{Digest, Sha256};

/// The private keys 1 to [`COUNT`]; [`Keys::generate`] chooses one of them.
pub(crate) struct CheapKeys;

#[derive(Clone, Copy)]
struct Cheap {
    scalar: u8,
    public: [u8; 64],
}

const COUNT: u8 = 16;

/// The private keys that no session gets, because a client has them.
pub(crate) const RESERVED: u8 = 3;

static ALL: LazyLock<Vec<Cheap>> = LazyLock::new(|| {
    let key = |scalar| {
        let signer = P256Keys.import(&secret(scalar), None).expect("the scalar is below the order");
        Cheap { scalar, public: *signer.public() }
    };
    (1..=COUNT).map(key).collect()
});

/// The key with this small private scalar, which is not zero.
pub(crate) fn signer(scalar: u8) -> Arc<dyn Signer> {
    Arc::new(ALL[usize::from(scalar) - 1])
}

fn secret(scalar: u8) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[31] = scalar;
    SecretKey::new(bytes)
}

impl Keys for CheapKeys {
    fn generate(&self, entropy: &mut dyn Entropy) -> Arc<dyn Signer> {
        let mut byte = [0];
        entropy.fill(&mut byte);
        signer(RESERVED + 1 + byte[0] % (COUNT - RESERVED))
    }

    fn import(
        &self,
        scalar: &SecretKey,
        public: Option<&[u8; 64]>,
    ) -> Result<Arc<dyn Signer>, KeyError> {
        P256Keys.import(scalar, public)
    }
}

impl Signer for Cheap {
    fn public(&self) -> &[u8; 64] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let hash = <Scalar as Reduce<FieldBytes>>::reduce(&Sha256::digest(message));
        // `r` is the first coordinate of the generator, which is the public key of the scalar one.
        let (generator, _) = ALL[0].public.split_at(32);
        let r: FieldBytes = generator.try_into().map_err(|_| KeyError("r has 32 bytes"))?;
        let s = hash
            + <Scalar as Reduce<FieldBytes>>::reduce(&r) * Scalar::from(u64::from(self.scalar));
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(generator);
        signature[32..].copy_from_slice(&s.to_bytes());
        Ok(signature)
    }

    fn export(&self) -> Option<SecretKey> {
        Some(secret(self.scalar))
    }
}
