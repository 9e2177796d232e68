//! DPoP keys, which sign DPoP proofs. A login generates a new key, and its session keeps the key.
//!
//! The public JWK and the JOSE header are encoded once per key. RFC 9449 section 4.2; RFC 8812
//! section 3.2.

use std::fmt;
use std::sync::{Arc, OnceLock};

use atproto_sansio::{Entropy, KeyError, Keys, SecretKey, SecretString, Signer};
use base64ct::{Base64UrlUnpadded, Encoding};
use http::HeaderValue;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use zeroize::{Zeroize, Zeroizing};

use crate::error::DpopError;
use crate::import::read_jwk;
use crate::jwk::{Jwk, decode_32};
use crate::jws::JwsHeader;
use crate::proof::Proof;

/// Key of one session, to which the tokens are bound. Clones share one key in memory. `Debug` shows
/// the thumbprint only.
///
/// A new key is of P-256 (`ES256`). With the feature `es256k`, a key of secp256k1 (`ES256K`) that
/// another client has made can be read, so that its session goes on.
#[derive(Clone)]
pub struct DpopKey(Arc<Parts>);

struct Parts {
    holder: Holder,
    jwk: Jwk,
    thumbprint: String,
    header: JwsHeader,
}

impl DpopKey {
    /// Generates a key in the crypto backend `keys`, such as
    /// [`P256Keys`](crate::P256Keys).
    pub fn generate(keys: &dyn Keys, entropy: &mut dyn Entropy) -> Self {
        Self::new(keys.generate(entropy))
    }

    /// Wraps a P-256 key of a crypto backend. The public point of `signer` is not checked.
    pub fn new(signer: Arc<dyn Signer>) -> Self {
        Self::of(Jwk::of_signer(signer.public()), Holder::Ready(signer))
    }

    /// The key whose public part is `jwk`.
    fn of(jwk: Jwk, holder: Holder) -> Self {
        let header = JwsHeader::new(&format!(
            r#"{{"typ":"dpop+jwt","alg":"{}","jwk":{}}}"#,
            jwk.alg(),
            jwk.to_json()
        ));
        Self(Arc::new(Parts { thumbprint: jwk.thumbprint(), holder, jwk, header }))
    }

    /// Reads a private JWK with `kty`, `crv`, `x`, `y` and `d` into the crypto backend `keys`. With
    /// the feature `es256k`, a key of secp256k1 is held by this crate instead.
    ///
    /// # Errors
    ///
    /// Fails if `json` is not the private JWK of a P-256 key for `ES256`, or of a secp256k1 key for
    /// `ES256K`, or if `d` does not match `x` and `y`. [`DpopError::Es256kDisabled`] for a key of
    /// secp256k1 without the feature `es256k`.
    pub fn from_jwk(json: &str, keys: &dyn Keys) -> Result<Self, DpopError> {
        let (jwk, scalar, _) = read_jwk(json)?;
        let signer = jwk.curve().import(&scalar, jwk.point(), keys)?;
        Ok(Self::of(jwk, Holder::Ready(signer)))
    }

    /// Returns the private JWK; `None` if the crypto backend can't export the key.
    pub fn to_jwk(&self) -> Option<SecretString> {
        let scalar = self.0.holder.export()?;
        let d = Zeroizing::new(Base64UrlUnpadded::encode_string(scalar.expose()));
        let [x, y] = self.0.jwk.coordinates();
        let d = d.as_str();
        let crv = self.0.jwk.curve().name();
        // A string that grew would leave a copy of `d` behind.
        let parts = [
            r#"{"crv":""#,
            crv,
            r#"","d":""#,
            d,
            r#"","kty":"EC","x":""#,
            &x,
            r#"","y":""#,
            &y,
            r#""}"#,
        ];
        Some(SecretString::new(parts.concat()))
    }

    /// Public part of the key.
    pub fn jwk(&self) -> &Jwk {
        &self.0.jwk
    }

    /// SHA-256 thumbprint of the public JWK in base64url (RFC 7638). A server binds tokens to this
    /// value, which RFC 9449 calls `jkt`.
    pub fn thumbprint(&self) -> &str {
        &self.0.thumbprint
    }

    /// Signs `proof` and returns the value of the `DPoP` header, which is marked as sensitive.
    ///
    /// A key that was read from a store is imported into the crypto backend `keys` by its first
    /// signature, and stays there; if the import fails, the next signature tries it again. Other keys are in
    /// their backend already.
    ///
    /// # Errors
    ///
    /// [`DpopError::Claim`] if a claim has a character that is not allowed; [`DpopError::Key`] if
    /// the key can't sign, or if a stored `d` does not match `x` and `y`.
    pub fn prove(&self, proof: &Proof<'_>, keys: &dyn Keys) -> Result<HeaderValue, DpopError> {
        let unsigned = proof.unsigned(&self.0.header)?;
        let jws = unsigned.sign(self.0.holder.signer(&self.0.jwk, keys)?)?;
        let mut value = HeaderValue::from_maybe_shared(bytes::Bytes::from(jws))
            .expect("base64url and full stops are allowed in a header value");
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Serialize for DpopKey {
    /// Writes the private JWK. Fails if the crypto backend can't export the key.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scalar = self.0.holder.export();
        let scalar = scalar.ok_or_else(|| {
            ser::Error::custom("the crypto backend of this DPoP key can't export the key")
        })?;
        let d = Zeroizing::new(Base64UrlUnpadded::encode_string(scalar.expose()));
        let [x, y] = self.0.jwk.coordinates();
        let mut jwk = serializer.serialize_struct("DpopKey", 5)?;
        jwk.serialize_field("crv", self.0.jwk.curve().name())?;
        jwk.serialize_field("d", d.as_str())?;
        jwk.serialize_field("kty", "EC")?;
        jwk.serialize_field("x", &x)?;
        jwk.serialize_field("y", &y)?;
        jwk.end()
    }
}

impl<'de> Deserialize<'de> for DpopKey {
    /// Reads a private JWK. The key gets its crypto backend at its first signature, and can't sign if
    /// `d` does not match `x` and `y`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Members {
            kty: String,
            crv: String,
            x: String,
            y: String,
            d: String,
        }

        let Members { kty, crv, x, y, d } = Members::deserialize(deserializer)?;
        let d = Zeroizing::new(d);
        let jwk = Jwk::from_members(&kty, &crv, &x, &y).map_err(de::Error::custom)?;
        let mut scalar =
            decode_32(&d).ok_or_else(|| de::Error::custom("`d` must be 32 bytes in base64url"))?;
        let secret = SecretKey::new(scalar);
        scalar.zeroize();
        Ok(Self::of(jwk, Holder::Stored { secret, imported: OnceLock::new() }))
    }
}

/// Holder of the private part.
enum Holder {
    /// A crypto backend.
    Ready(Arc<dyn Signer>),
    /// This value, until a crypto backend imports the key for its first signature: most stored
    /// sessions are read without a signature, and an import costs as much as one.
    Stored { secret: SecretKey, imported: OnceLock<Arc<dyn Signer>> },
}

impl Holder {
    /// The signer of the key whose public part is `jwk`.
    fn signer(&self, jwk: &Jwk, keys: &dyn Keys) -> Result<&dyn Signer, KeyError> {
        match self {
            Self::Ready(signer) => Ok(&**signer),
            Self::Stored { secret, imported } => {
                if let Some(signer) = imported.get() {
                    return Ok(&**signer);
                }
                // A failure is not remembered, because a backend may fail for a moment only. A point that does not
                // fit is refused each time.
                let signer = jwk.curve().import(secret, jwk.point(), keys)?;
                Ok(&**imported.get_or_init(|| signer))
            }
        }
    }

    fn export(&self) -> Option<SecretKey> {
        match self {
            Self::Ready(signer) => signer.export(),
            Self::Stored { secret, .. } => Some(secret.clone()),
        }
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DpopKey({})", self.thumbprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::es256::P256Keys;

    /// Private key of RFC 7515 appendix A.3.
    const EXAMPLE: &str = r#"{"kty":"EC","crv":"P-256",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI","kid":"ignored"}"#;

    #[test]
    fn a_private_jwk_survives_being_read_and_written() {
        let key = DpopKey::from_jwk(EXAMPLE, &P256Keys).unwrap();
        let again = DpopKey::from_jwk(key.to_jwk().unwrap().expose(), &P256Keys).unwrap();
        assert_eq!(again.thumbprint(), key.thumbprint());
        let json = serde_json::to_string(&key).unwrap();
        let again: DpopKey = serde_json::from_str(&json).unwrap();
        assert_eq!(again.thumbprint(), key.thumbprint());
    }

    #[test]
    fn a_scalar_of_another_key_is_refused() {
        let mixed = EXAMPLE.replace("jpsQ", "jpsR");
        let error = DpopKey::from_jwk(&mixed, &P256Keys).unwrap_err();
        assert_eq!(error, DpopError::Jwk("`d` is not the private key of `x` and `y`".to_owned()));
        for broken in
            ["{}", "", "[]", &EXAMPLE.replace("\"d\"", "\"e\""), &EXAMPLE.replace("jpsQ", "")]
        {
            assert!(DpopKey::from_jwk(broken, &P256Keys).is_err());
        }
    }

    #[test]
    fn a_stored_key_whose_scalar_is_of_another_key_never_signs() {
        let key = DpopKey::from_jwk(EXAMPLE, &P256Keys).unwrap();
        let json = serde_json::to_string(&key).unwrap();
        let read = |json: &str| serde_json::from_str::<DpopKey>(json).unwrap();
        let mixed = read(&json.replace("jpsQ", "jpsR"));
        for _ in 0..2 {
            let refused = mixed.0.holder.signer(mixed.jwk(), &P256Keys).err();
            assert_eq!(refused, Some(KeyError::MISMATCH));
        }
        let stored = read(&json);
        let signer = stored.0.holder.signer(stored.jwk(), &P256Keys).unwrap();
        let signature = signer.sign(b"message").unwrap();
        assert!(crate::verify(key.jwk().point(), b"message", &signature));
    }

    #[cfg(not(feature = "es256k"))]
    #[test]
    fn without_the_feature_es256k_a_key_of_secp256k1_is_refused_with_the_way_out() {
        let jwk = EXAMPLE.replace("P-256", "secp256k1");
        let refused = DpopKey::from_jwk(&jwk, &P256Keys).unwrap_err();
        assert_eq!(refused, DpopError::Es256kDisabled);
        let stored = serde_json::from_str::<DpopKey>(&jwk).unwrap_err().to_string();
        let public = serde_json::from_str::<Jwk>(&jwk).unwrap_err().to_string();
        for told in [refused.to_string(), stored, public] {
            assert!(told.contains("feature `es256k`") && !told.contains("jpsQ"), "{told}");
        }
        // No feature helps a client key.
        let told = crate::PrivateKey::parse(&jwk).unwrap_err().to_string();
        assert!(told.contains("must be P-256") && !told.contains("feature"), "{told}");
    }

    #[test]
    fn debug_shows_the_thumbprint_only() {
        let key = DpopKey::from_jwk(EXAMPLE, &P256Keys).unwrap();
        assert_eq!(format!("{key:?}"), format!("DpopKey({})", key.thumbprint()));
    }
}
