//! Parser of private keys in the formats PKCS#8, SEC 1 and JWK.
//!
//! RFC 5208, RFC 5915, RFC 7518 section 6.2.

use atproto_sansio::SecretKey;
use p256::pkcs8::DecodePrivateKey;
use serde::Deserialize;
use zeroize::Zeroize;

use crate::error::DpopError;
use crate::jwk::{Jwk, decode_32};

/// Private P-256 key read from a text, with its `kid` if the text has one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PrivateKey {
    /// Private scalar, the argument of [`Keys::import`](atproto_sansio::Keys::import).
    pub scalar: SecretKey,
    /// Member `kid` of a JWK; `None` if the JWK has none, and for PEM.
    pub kid: Option<String>,
}

impl PrivateKey {
    /// Reads an unencrypted P-256 key: PEM (`PRIVATE KEY` or `EC PRIVATE KEY`), or a JWK with `d`.
    ///
    /// # Errors
    ///
    /// [`DpopError::Pem`] or [`DpopError::Jwk`] if the text has another format, or if the key is
    /// encrypted, public, or not a P-256 key.
    pub fn parse(text: &str) -> Result<Self, DpopError> {
        let text = text.trim();
        if text.starts_with('{') { Self::from_jwk(text) } else { Self::from_pem(text) }
    }

    fn from_pem(pem: &str) -> Result<Self, DpopError> {
        let refused = |what| Err(DpopError::Pem(what));
        let key = if pem.contains("-----BEGIN PRIVATE KEY-----") {
            p256::SecretKey::from_pkcs8_pem(pem).ok()
        } else if pem.contains("-----BEGIN EC PRIVATE KEY-----") {
            // OpenSSL writes a block `EC PARAMETERS` before the key; the parser skips this block.
            let start = pem.find("-----BEGIN EC PRIVATE KEY-----").unwrap_or_default();
            p256::SecretKey::from_sec1_pem(pem.split_at(start).1).ok()
        } else if pem.contains("ENCRYPTED") {
            return refused("it is encrypted; decrypt it first, with `openssl pkey`");
        } else if pem.contains("-----BEGIN RSA PRIVATE KEY-----") {
            return refused("it is an RSA key");
        } else if pem.contains("PUBLIC KEY-----") {
            return refused("it is a public key");
        } else {
            return refused("it is neither `PRIVATE KEY` (PKCS#8) nor `EC PRIVATE KEY` (SEC 1)");
        };
        let Some(key) = key else { return refused("it is malformed, or a key of another curve") };
        let mut bytes: [u8; 32] = key.to_bytes().into();
        let scalar = SecretKey::new(bytes);
        bytes.zeroize();
        Ok(Self { scalar, kid: None })
    }

    fn from_jwk(json: &str) -> Result<Self, DpopError> {
        #[derive(Deserialize)]
        struct Members<'a> {
            d: &'a str,
            kid: Option<String>,
        }

        let malformed = |_| DpopError::Jwk("it must be JSON with kty, crv, x, y and d");
        let _: Jwk = serde_json::from_str(json).map_err(malformed)?;
        let Members { d, kid } = serde_json::from_str(json).map_err(malformed)?;
        let mut bytes = decode_32(d).ok_or(DpopError::Jwk("`d` must be 32 bytes in base64url"))?;
        let scalar = SecretKey::new(bytes);
        bytes.zeroize();
        Ok(Self { scalar, kid })
    }
}

#[cfg(test)]
mod tests {
    use atproto_sansio::Keys;

    use super::*;
    use crate::es256::P256Keys;

    // One P-256 key in three formats, and a P-384 key.
    const SEC1: &str = "-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIDBho8XO2vn4LXQqtSysc/4SPGCXOnKl0E+T5g3un2sYoAoGCCqGSM49
AwEHoUQDQgAEda3LsoT1KGwCVPKJqeJdmdimpGz5bbXA9P4FNp9Z3Ub8wKqgeuE5
zf3pWzvxPkUw48UbvA5ZaY46aKZAWNFOVw==
-----END EC PRIVATE KEY-----
";
    const PKCS8: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMGGjxc7a+fgtdCq1
LKxz/hI8YJc6cqXQT5PmDe6faxihRANCAAR1rcuyhPUobAJU8omp4l2Z2KakbPlt
tcD0/gU2n1ndRvzAqqB64TnN/elbO/E+RTDjxRu8DllpjjpopkBY0U5X
-----END PRIVATE KEY-----
";
    const JWK: &str = r#"{"kty":"EC","crv":"P-256","kid":"k1",
        "d":"MGGjxc7a-fgtdCq1LKxz_hI8YJc6cqXQT5PmDe6faxg",
        "x":"da3LsoT1KGwCVPKJqeJdmdimpGz5bbXA9P4FNp9Z3UY",
        "y":"_MCqoHrhOc396Vs78T5FMOPFG7wOWWmOOmimQFjRTlc"}"#;
    const P384: &str = "-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBspTVpGJ/nDJyCpLgI
9mNOLO8rQlR6n3uo6TU89iuZNvBD6gHxID9bCwGV3uy0FqChZANiAAR55tgwl5vZ
acY62AkD1o4rwrPpBtvituPP9TnvkOZ9BEpFr9L11YVMA8btF43kVB84tl2IiGnh
La7v3MLGQhNctsE2pVsvNCWnJD+k/jlXRETJ+i81zuPj6gxH1wiULpA=
-----END PRIVATE KEY-----
";

    #[test]
    fn all_forms_of_a_key_are_the_same_key() {
        // Rule F-14
        let jwk: Jwk = serde_json::from_str(JWK).unwrap();
        for (text, kid) in [(SEC1, None), (PKCS8, None), (JWK, Some("k1"))] {
            let key = PrivateKey::parse(text).unwrap();
            assert_eq!(key.kid.as_deref(), kid);
            assert_eq!(P256Keys.import(&key.scalar).unwrap().public(), jwk.point());
        }
    }

    #[test]
    fn the_error_names_the_kind_of_an_unsupported_key() {
        for (text, what) in [
            ("", "neither"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "malformed"),
            (P384, "another curve"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "encrypted"),
            ("-----BEGIN RSA PRIVATE KEY-----", "RSA"),
            ("-----BEGIN PUBLIC KEY-----", "public"),
            ("{}", "JSON"),
        ] {
            let error = PrivateKey::parse(text).unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
