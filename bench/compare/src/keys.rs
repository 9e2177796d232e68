//! The keys of all rows: those of this library, the bare signatures below them, and keys whose signatures cost
//! nothing.

use std::sync::Arc;

use atproto_dpop::{DpopKey, P256Keys};
use atproto_keys::RingKeys;
use atproto_sansio::{Entropy, KeyError, Keys, SecretKey, Signer};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

/// The private key of all rows, of other libraries too.
pub(crate) const JWK: &str = r#"{"crv":"P-256","d":"ujhj7rULNv3-SdTmi_-k64fURInlAeWA_I_G_gTwhKs","kty":"EC",
    "x":"FY1qCVnCZ0r63HloFRmh10NIJSxsR3_9QZdi6C7Cnus","y":"Rht_KyF42S8NTI-uIKxokcEveZuWylv6rkZHYzfNK6c"}"#;

/// Keys of the backend that both adapters use by default.
pub(crate) const DEFAULT_KEYS: RingKeys = RingKeys;

/// Keys that sign nothing, so that the rest of a request can be measured: each signature has the same bytes, and no
/// server accepts it.
#[derive(Clone, Copy)]
pub(crate) struct ConstantKeys;

struct ConstantSigner {
    public: [u8; 64],
}

/// The key of all rows, in `keys`.
pub(crate) fn dpop_key(keys: &dyn Keys) -> DpopKey {
    DpopKey::from_jwk(JWK, keys).unwrap()
}

/// The private scalar of [`JWK`].
pub(crate) fn scalar() -> SecretKey {
    let jwk: serde_json::Value = serde_json::from_str(JWK).unwrap();
    let scalar = data_encoding::BASE64URL_NOPAD.decode(jwk["d"].as_str().unwrap().as_bytes());
    SecretKey::new(scalar.unwrap().try_into().unwrap())
}

/// The signature of p256 alone.
pub(crate) fn bare_p256() -> impl Fn(&[u8]) -> Signature {
    let key = SigningKey::from_slice(scalar().expose()).unwrap();
    move |message| key.sign(message)
}

/// The signature of ring alone.
pub(crate) fn bare_ring() -> impl Fn(&[u8]) -> ring::signature::Signature {
    let signer = P256Keys.import(&scalar(), None).unwrap();
    let point = [&[4], signer.public().as_slice()].concat();
    let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let scalar = scalar();
    let key =
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, scalar.expose(), &point, &random);
    let key = key.unwrap();
    move |message| key.sign(&random, message).unwrap()
}

impl Keys for ConstantKeys {
    fn generate(&self, entropy: &mut dyn Entropy) -> Arc<dyn Signer> {
        let public = *P256Keys.generate(entropy).public();
        Arc::new(ConstantSigner { public })
    }

    fn import(
        &self,
        scalar: &SecretKey,
        public: Option<&[u8; 64]>,
    ) -> Result<Arc<dyn Signer>, KeyError> {
        let public = *P256Keys.import(scalar, public)?.public();
        Ok(Arc::new(ConstantSigner { public }))
    }
}

impl Signer for ConstantSigner {
    fn public(&self) -> &[u8; 64] {
        &self.public
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], KeyError> {
        Ok([7; 64])
    }

    fn export(&self) -> Option<SecretKey> {
        None
    }
}
