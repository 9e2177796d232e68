//! Public keys and signatures in the forms of key services: DER, and PEM.
//!
//! RFC 5280 section 4.1.2.7 (`SubjectPublicKeyInfo`), RFC 5480 section 2, RFC 3279 section 2.2.3
//! (`Ecdsa-Sig-Value`), RFC 7468 section 13.

use atproto_sansio::KeyError;
use p256::ecdsa::Signature;
use p256::pkcs8::{DecodePublicKey, Document};

use super::pem::{block, other_kind, with_line_breaks};
use crate::error::DpopError;
use crate::jwk::Jwk;

impl Jwk {
    /// Reads a public P-256 key in PEM (`PUBLIC KEY`), for example of Google Cloud KMS. `\n` may stand for a line
    /// break.
    ///
    /// ```
    /// # fn main() -> Result<(), atproto_dpop::DpopError> {
    /// let jwk = atproto_dpop::Jwk::from_public_pem(
    ///     "-----BEGIN PUBLIC KEY-----
    /// MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEda3LsoT1KGwCVPKJqeJdmdimpGz5
    /// bbXA9P4FNp9Z3Ub8wKqgeuE5zf3pWzvxPkUw48UbvA5ZaY46aKZAWNFOVw==
    /// -----END PUBLIC KEY-----",
    /// )?;
    /// assert!(jwk.to_json().contains(r#""x":"da3LsoT1KGwCVPKJqeJdmdimpGz5bbXA9P4FNp9Z3UY""#));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DpopError::PublicKey`] if the text is not the PEM of a public P-256 key.
    pub fn from_public_pem(text: &str) -> Result<Self, DpopError> {
        let refused = |what: &str| DpopError::PublicKey(what.to_owned());
        let pem = with_line_breaks(text);
        if pem.contains("PRIVATE KEY-----") {
            return Err(refused("it is a private key; give the public key"));
        }
        let block = block(&pem, "PUBLIC KEY");
        let block = block.ok_or_else(|| {
            refused("it has no block `-----BEGIN PUBLIC KEY-----`; give the PEM of the key")
        })?;
        let (_, der) = Document::from_pem(block).map_err(|_| refused("its PEM is malformed"))?;
        Self::from_public_der(der.as_bytes())
    }

    /// Reads a public P-256 key in DER (`SubjectPublicKeyInfo`), for example of the operation `GetPublicKey` of
    /// AWS KMS.
    ///
    /// # Errors
    ///
    /// [`DpopError::PublicKey`] if the bytes are not a public P-256 key.
    pub fn from_public_der(der: &[u8]) -> Result<Self, DpopError> {
        let key = p256::PublicKey::from_public_key_der(der).map_err(|_| {
            DpopError::PublicKey(match other_kind(der) {
                Some(kind) => format!("it is {kind}; make a key of P-256 (ECC_NIST_P256)"),
                None => "it is malformed".to_owned(),
            })
        })?;
        let point = p256::ecdsa::VerifyingKey::from(key).to_sec1_point(false);
        let point = point.as_bytes().get(1..).and_then(|point| point.try_into().ok());
        Self::new(point.ok_or_else(|| DpopError::PublicKey("its point is malformed".to_owned()))?)
    }
}

/// Converts a P-256 signature in DER (`Ecdsa-Sig-Value`), as AWS KMS, Google Cloud KMS and OpenSSL return it,
/// into its `r` and `s`, 32 bytes each, as `ES256` has them.
///
/// # Errors
///
/// Fails if the bytes are not such a signature.
pub fn signature_from_der(der: &[u8]) -> Result<[u8; 64], KeyError> {
    let signature = Signature::from_der(der);
    signature
        .map(|signature| signature.to_bytes().into())
        .map_err(|_| KeyError("the signature is not one of P-256 in DER (RFC 3279 section 2.2.3)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The public part of one P-256 key, with and without its `y`, and two signatures of `a message`, the second one
    // with 33 bytes for `r` and `s`: made with OpenSSL.
    const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEda3LsoT1KGwCVPKJqeJdmdimpGz5
bbXA9P4FNp9Z3Ub8wKqgeuE5zf3pWzvxPkUw48UbvA5ZaY46aKZAWNFOVw==
-----END PUBLIC KEY-----
";
    const COMPRESSED: &str = "-----BEGIN PUBLIC KEY-----
MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADda3LsoT1KGwCVPKJqeJdmdimpGz5
bbXA9P4FNp9Z3UY=
-----END PUBLIC KEY-----
";
    const SIGNATURES: [&str; 2] = [
        "304402200404f4f1bee1c72c6a5bb4430cab3258b4f0249ed5a86410f8c84cac44ef025c02205df24621a27a0e23f45\
         cae0b689697c1f7c460628cd6ac99515248e1b3481cfd",
        "3046022100da9979f4387cf6e95e3c596b0cc116f527a9c04d22148932c56016c6366ccb19022100a84bc2912157df2\
         b96a19a9c7fc59621e7ecb8e3df0fbd050901dbd1756ac745",
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
    }

    #[test]
    fn a_key_and_its_signatures_fit_whatever_their_form() {
        let one_line = KEY.replace('\n', "\\n");
        for text in [KEY, COMPRESSED, &one_line] {
            let jwk = Jwk::from_public_pem(text).unwrap();
            assert!(jwk.to_json().contains(r#""y":"_MCqoHrhOc396Vs78T5FMOPFG7wOWWmOOmimQFjRTlc""#));
            for signature in SIGNATURES {
                let signature = signature_from_der(&bytes(signature)).unwrap();
                assert!(jwk.verify(b"a message", &signature));
                assert!(!jwk.verify(b"another message", &signature));
            }
        }
    }

    #[test]
    fn other_keys_are_refused_with_their_kind() {
        for (text, what) in [
            ("", "no block"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "private key"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "malformed"),
            (&KEY.replace("Vw==", "Ww=="), "malformed"),
            (
                "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEoYXbYl1O6Hb+gJ2ImCfzOCG8D14iyRjI
ugRw1X88ytpA6vufSQKtboOrQcF/iHz9fszVOoGuMQHIzIW1dk5pLktwewPz1ttg
9M6Xn3HlnItdHa2kVLE0pH47CSqSMxyM
-----END PUBLIC KEY-----",
                "a key of P-384",
            ),
            (
                "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA1JtXeFh0xLGHZAXmkfiMekNhPzBXnYb6eO0T7zHjJtQ=
-----END PUBLIC KEY-----",
                "a key of Ed25519",
            ),
        ] {
            let error = Jwk::from_public_pem(text).unwrap_err();
            assert!(matches!(error, DpopError::PublicKey(_)));
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn a_signature_that_is_not_der_is_refused() {
        let [signature, _] = SIGNATURES.map(bytes);
        let raw = signature_from_der(&signature).unwrap();
        let longer = [signature.as_slice(), &[0]].concat();
        for refused in [&[][..], &raw, &longer, &signature[..69], &[0x30, 6, 2, 1, 0, 2, 1, 0]] {
            assert!(signature_from_der(refused).is_err(), "{refused:?}");
        }
    }
}
