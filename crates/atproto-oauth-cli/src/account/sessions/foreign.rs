//! Decrypts the members that `atproto-php` encrypts: each is base64 of a nonce and a NaCl secretbox, whose key
//! is the unkeyed BLAKE2b-256 hash of a passphrase.

use atproto_sansio::SecretString;
use base64ct::{Base64, Encoding};
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{KeyInit, XSalsa20Poly1305};
use zeroize::Zeroizing;

/// Decrypts members with the key of a passphrase.
pub(super) struct Cipher(XSalsa20Poly1305);

impl Cipher {
    pub(super) fn new(passphrase: &SecretString) -> Self {
        let key = Zeroizing::new(<[u8; 32]>::from(Blake2b::<U32>::digest(passphrase.expose())));
        Self(XSalsa20Poly1305::new((&*key).into()))
    }

    /// The text in a member; `None` if it is encrypted with another passphrase.
    pub(super) fn open(&self, text: &str) -> Option<SecretString> {
        let bytes = Base64::decode_vec(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(24)?;
        let opened = self.0.decrypt(nonce.into(), sealed).ok()?;
        String::from_utf8(opened).ok().map(SecretString::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with libsodium: the secretbox of `ref-1` with the passphrase `correct horse` and a nonce of zeros.
    const SEALED: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAczi+jcpPv4kztDzYmVQQ6H/Ja6Mc";

    #[test]
    fn a_session_that_libsodium_has_encrypted_is_decrypted() {
        let cipher = |passphrase: &str| Cipher::new(&SecretString::new(passphrase));
        assert_eq!(cipher("correct horse").open(SEALED).unwrap().expose(), "ref-1");
        assert!(cipher("another").open(SEALED).is_none());
        for broken in ["", "-----BEGIN", &SEALED[4..], &SEALED[..28]] {
            assert!(cipher("correct horse").open(broken).is_none(), "{broken}");
        }
    }
}
