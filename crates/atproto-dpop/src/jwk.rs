//! Public keys in JWK format, and their thumbprints.
//!
//! RFC 7517; RFC 7518 section 6.2; RFC 7638; RFC 8812 section 3.1.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};
use sha2::{Digest, Sha256};

use crate::curve::Curve;
use crate::error::DpopError;

/// Public key with the members `kty`, `crv`, `x` and `y`, never `d`: of P-256 or, with the feature
/// `es256k`, of secp256k1.
///
/// [`Jwk::new`] and `Deserialize` reject points that are not on the curve.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Jwk {
    curve: Curve,
    point: [u8; 64],
}

impl Jwk {
    /// Creates the P-256 key with the public point `point`: `x` and `y`, 32 bytes each.
    ///
    /// # Errors
    ///
    /// [`DpopError::Jwk`] if the point is not on the P-256 curve.
    pub fn new(point: [u8; 64]) -> Result<Self, DpopError> {
        Self::on_curve(Curve::P256, point)
    }

    fn on_curve(curve: Curve, point: [u8; 64]) -> Result<Self, DpopError> {
        if curve.has_point(&point) {
            Ok(Self { curve, point })
        } else {
            let name = curve.name();
            Err(DpopError::Jwk(format!("`x` and `y` are not a point on the curve {name}")))
        }
    }

    /// Creates the key from the members of a JWK, and checks that its point is on the curve.
    pub(crate) fn from_members(kty: &str, crv: &str, x: &str, y: &str) -> Result<Self, DpopError> {
        let curve = Curve::of_members(kty, crv)?;
        let (Some(x), Some(y)) = (decode_32(x), decode_32(y)) else {
            let what = "`x` and `y` must be 32 bytes each, in base64url without padding";
            return Err(DpopError::Jwk(what.to_owned()));
        };
        let mut point = [0; 64];
        point[..32].copy_from_slice(&x);
        point[32..].copy_from_slice(&y);
        Self::on_curve(curve, point)
    }

    /// Creates the P-256 key of a signer without checking its point, because a signer has a valid key.
    pub(crate) fn of_signer(point: &[u8; 64]) -> Self {
        Self { curve: Curve::P256, point: *point }
    }

    /// Public point: `x` and `y`, 32 bytes each.
    pub fn point(&self) -> &[u8; 64] {
        &self.point
    }

    /// Algorithm of signatures by this key, the `alg` of a JOSE header: `ES256` or `ES256K`.
    pub fn alg(&self) -> &'static str {
        self.curve.alg()
    }

    /// Returns whether `signature` (`r` and `s`, 32 bytes each) is the signature of `message` by this
    /// key, with its [`alg`](Self::alg).
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.curve.verify(&self.point, message, signature)
    }

    /// Returns the JWK as JSON with its members in alphabetical order and without white space,
    /// which is the input of the thumbprint (RFC 7638 section 3.3).
    pub fn to_json(&self) -> String {
        let [x, y] = self.coordinates();
        let crv = self.curve.name();
        format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
    }

    /// Returns the SHA-256 thumbprint of the JWK in base64url (RFC 7638): the `jkt` of RFC 9449,
    /// and suitable as a `kid`.
    pub fn thumbprint(&self) -> String {
        Base64UrlUnpadded::encode_string(&Sha256::digest(self.to_json()))
    }

    pub(crate) fn curve(&self) -> Curve {
        self.curve
    }

    pub(crate) fn coordinates(&self) -> [String; 2] {
        let (x, y) = self.point.split_at(32);
        [Base64UrlUnpadded::encode_string(x), Base64UrlUnpadded::encode_string(y)]
    }
}

/// Decodes a coordinate or a private scalar; `None` unless `text` is 32 bytes in
/// base64url.
pub(crate) fn decode_32(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    // The decoder rejects texts of more than 32 bytes, but accepts shorter texts.
    let decoded = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len();
    (decoded == 32).then_some(bytes)
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [x, y] = self.coordinates();
        let mut jwk = serializer.serialize_struct("Jwk", 4)?;
        jwk.serialize_field("crv", self.curve.name())?;
        jwk.serialize_field("kty", "EC")?;
        jwk.serialize_field("x", &x)?;
        jwk.serialize_field("y", &y)?;
        jwk.end()
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Members {
            kty: String,
            crv: String,
            x: String,
            y: String,
        }

        let Members { kty, crv, x, y } = Members::deserialize(deserializer)?;
        Self::from_members(&kty, &crv, &x, &y).map_err(de::Error::custom)
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({})", self.thumbprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Public key of the examples in RFC 9449 section 4.1.
    const EXAMPLE: &str = r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#;

    #[test]
    fn the_thumbprint_of_the_rfc_9449_key_is_the_one_it_states() {
        let jwk: Jwk = serde_json::from_str(EXAMPLE).unwrap();
        // `jkt` of the same key in RFC 9449 section 6.1
        assert_eq!(jwk.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn a_key_survives_being_written_and_read() {
        let jwk: Jwk = serde_json::from_str(EXAMPLE).unwrap();
        assert_eq!(serde_json::from_str::<Jwk>(&jwk.to_json()).unwrap(), jwk);
        assert_eq!(serde_json::to_string(&jwk).unwrap(), jwk.to_json());
    }

    #[test]
    fn a_jwk_that_is_not_a_p256_key_is_refused() {
        for (from, to) in [
            ("EC", "RSA"),
            ("P-256", "P-384"),
            ("l8tF", "l8t"),     // too short
            ("l8tF", "AAAAl8t"), // too long
            ("l8tF", "l8t+"),    // base64, not base64url
            ("l8tF", "l8tE"),    // not on the curve
            ("\"x\"", "\"z\""),  // missing
        ] {
            let json = EXAMPLE.replace(from, to);
            assert!(serde_json::from_str::<Jwk>(&json).is_err(), "{from} -> {to}");
        }
    }
}
