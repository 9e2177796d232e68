//! Proof Key for Code Exchange, `S256` only.
//!
//! The pending login keeps the verifier, and the pushed authorization request carries its hash.
//! So a stolen code is useless without the pending login.
//!
//! RFC 7636 sections 4.1 and 4.2.

use atproto_sansio::{Entropy, SecretString};
use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// A new `code_verifier`: 256 random bits in base64url, 43 characters.
pub(crate) fn verifier(entropy: &mut dyn Entropy) -> SecretString {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    let verifier = SecretString::new(Base64UrlUnpadded::encode_string(&bytes));
    bytes.zeroize();
    verifier
}

/// The `code_challenge` of a verifier: its SHA-256 hash in base64url.
pub(crate) fn challenge(verifier: &SecretString) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(verifier.expose()))
}

/// 128 random bits in base64url, 22 characters: for `state`, `jti` and session ids.
pub(crate) fn random_name(entropy: &mut dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    Base64UrlUnpadded::encode_string(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let verifier = SecretString::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
