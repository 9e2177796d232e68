//! Writer of private keys as PEM: PKCS#8 and SEC 1.
//!
//! RFC 5208, RFC 5915, RFC 7468.

use atproto_sansio::{KeyError, SecretString};
use p256::pkcs8::{EncodePrivateKey, LineEnding};
use zeroize::Zeroizing;

use crate::error::DpopError;
use crate::import::PrivateKey;

impl PrivateKey {
    /// Returns the key as an unencrypted PEM `PRIVATE KEY` (PKCS#8), which ends in a line break.
    /// A PEM has no place for the `kid`.
    ///
    /// # Errors
    ///
    /// [`DpopError::Key`] if the scalar is not in the range of P-256.
    pub fn to_pkcs8_pem(&self) -> Result<SecretString, DpopError> {
        let pem = self.key()?.to_pkcs8_pem(LineEnding::LF);
        pem.map(secret).map_err(|_| NOT_ENCODED.into())
    }

    /// Returns the key as an unencrypted PEM `EC PRIVATE KEY` (SEC 1), which ends in a line break.
    /// A PEM has no place for the `kid`.
    ///
    /// # Errors
    ///
    /// [`DpopError::Key`] if the scalar is not in the range of P-256.
    pub fn to_sec1_pem(&self) -> Result<SecretString, DpopError> {
        let pem = self.key()?.to_sec1_pem(LineEnding::LF);
        pem.map(secret).map_err(|_| NOT_ENCODED.into())
    }

    fn key(&self) -> Result<p256::SecretKey, DpopError> {
        p256::SecretKey::from_slice(self.scalar.expose())
            .map_err(|_| KeyError("the private scalar is not in the range of P-256").into())
    }
}

/// Moves the text, because a copy would stay in memory.
fn secret(mut pem: Zeroizing<String>) -> SecretString {
    SecretString::new(std::mem::take(&mut *pem))
}

const NOT_ENCODED: KeyError = KeyError("the key can't be written as PEM");

#[cfg(test)]
mod tests {
    use atproto_sansio::{Entropy, Keys, SecretKey};

    use super::*;
    use crate::curve::es256::P256Keys;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        // Rule F-14; the first key is the scalar 1, whose leading zeros must stay.
        for byte in [0, 1, 0x7f, 0xfe] {
            let signer = P256Keys.generate(&mut Fixed(byte));
            let key = PrivateKey::of_signer(&*signer).unwrap();
            let (pkcs8, sec1) = (key.to_pkcs8_pem().unwrap(), key.to_sec1_pem().unwrap());
            let label = |pem: &SecretString| pem.expose().lines().next().map(str::to_owned);
            assert_eq!(label(&pkcs8).unwrap(), "-----BEGIN PRIVATE KEY-----");
            assert_eq!(label(&sec1).unwrap(), "-----BEGIN EC PRIVATE KEY-----");
            for pem in [pkcs8, sec1] {
                assert!(pem.expose().ends_with("-----\n"));
                let read = PrivateKey::parse(pem.expose()).unwrap();
                assert_eq!(read.scalar.expose(), key.scalar.expose());
                assert_eq!(P256Keys.import(&read.scalar, None).unwrap().public(), signer.public());
            }
        }
    }

    #[test]
    fn a_scalar_out_of_range_is_not_written() {
        for byte in [0, 0xff] {
            let key = PrivateKey::new(SecretKey::new([byte; 32]));
            assert!(matches!(key.to_pkcs8_pem(), Err(DpopError::Key(_))));
            assert!(matches!(key.to_sec1_pem(), Err(DpopError::Key(_))));
        }
    }
}
