//! Private keys that are encrypted with a passphrase: PKCS#8 with PBES2.
//!
//! The file names the work that the derivation of its key costs. The file may come from anybody, so the
//! work is bounded before it is begun.
//!
//! RFC 5958 section 3, RFC 8018 section 6.2, RFC 7914 section 7.

use atproto_sansio::SecretString;
use p256::pkcs8::{DecodePrivateKey, SecretDocument};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use crate::error::DpopError;
use crate::import::{PrivateKey, pem};

impl PrivateKey {
    /// Reads a P-256 key like [`parse`](Self::parse), and also one that is encrypted with a passphrase: PEM
    /// with `ENCRYPTED PRIVATE KEY`, as `openssl pkcs8 -topk8` writes it.
    ///
    /// A key that is not encrypted needs no passphrase, and is read, too. The key must be encrypted with AES,
    /// by PBKDF2 with SHA-2 or by scrypt. At most 10,000,000 iterations of PBKDF2 are done, and scrypt gets
    /// at most 256 MiB of memory. Both take some seconds.
    ///
    /// # Errors
    ///
    /// [`DpopError::Passphrase`] if the passphrase is wrong. [`DpopError::Pem`] if the key is encrypted in
    /// another way, or at a higher cost, and for the reasons of [`parse`](Self::parse).
    pub fn parse_with_passphrase(text: &str, passphrase: &SecretString) -> Result<Self, DpopError> {
        let text = pem::with_line_breaks(text);
        match pem::block(&text, "ENCRYPTED PRIVATE KEY") {
            Some(block) => decrypt(block, passphrase),
            None => Self::parse(&text),
        }
    }
}

fn decrypt(block: &str, passphrase: &SecretString) -> Result<PrivateKey, DpopError> {
    let Ok((_, der)) = SecretDocument::from_pem(block) else {
        return Err(DpopError::Pem(pem::fault(block)));
    };
    let info = EncryptedPrivateKeyInfoRef::try_from(der.as_bytes()).map_err(|_| unsupported())?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(unsupported());
    };
    check_cost(parameters)?;
    // The plain key replaces the encrypted one in this buffer, so that no copy of it stays in memory.
    let mut buffer = Zeroizing::new(info.encrypted_data.as_bytes().to_vec());
    let plain =
        parameters.decrypt_in_place(passphrase.expose(), &mut buffer).map_err(
            |error| match error {
                pkcs8::pkcs5::Error::DecryptFailed => DpopError::Passphrase,
                _ => unsupported(),
            },
        )?;
    match p256::SecretKey::from_pkcs8_der(plain) {
        Ok(key) => Ok(PrivateKey::of_p256(&key)),
        // Of 256 wrong passphrases, one leaves bytes that have a valid padding.
        Err(_) if PrivateKeyInfoRef::try_from(plain).is_err() => Err(DpopError::Passphrase),
        Err(_) => Err(DpopError::Pem(pem::kind(plain))),
    }
}

/// Rejects a key whose decryption would take minutes, or gigabytes.
fn check_cost(parameters: &Parameters) -> Result<(), DpopError> {
    let is_bounded = match &parameters.kdf {
        Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= MAX_ITERATIONS,
        Kdf::Scrypt(scrypt) => {
            let [r, p] = [scrypt.block_size, scrypt.parallelization].map(u64::from);
            let blocks = scrypt.cost_parameter.checked_mul(r * p);
            // Zero blocks are no parameters of scrypt.
            blocks.is_some_and(|blocks| (1..=MAX_BLOCKS).contains(&blocks))
        }
        _ => return Err(unsupported()),
    };
    match is_bounded {
        true => Ok(()),
        false => Err(DpopError::Pem(format!(
            "its passphrase is derived at a cost that is out of bounds; encrypt it anew, with {CONVERT}"
        ))),
    }
}

fn unsupported() -> DpopError {
    let why = "it is encrypted, but not with AES and a passphrase that PBKDF2 with SHA-2 or scrypt derives";
    DpopError::Pem(format!("{why}; encrypt it anew, with {CONVERT}"))
}

const CONVERT: &str = "`openssl pkcs8 -topk8 -in key.pem -out new.pem`";

/// Most iterations of PBKDF2: the number that RFC 8018 section 4.2 names for especially critical keys.
const MAX_ITERATIONS: u32 = 10_000_000;

/// Most blocks of 128 bytes that scrypt works through: the product of its parameters N, r and p. The usual
/// N = 16384, r = 8 makes 2^17.
const MAX_BLOCKS: u64 = 1 << 21;

#[cfg(test)]
mod tests {
    use atproto_sansio::Keys;
    use p256::pkcs8::LineEnding;
    use pkcs8::pkcs5::pbes2::ScryptParams;

    use super::*;
    use crate::curve::es256::P256Keys;

    // `tests/encrypted_keys/README.md` says how each file was made.
    const DEFAULT: &str = include_str!("../../tests/encrypted_keys/default.pem");
    const SCRYPT: &str = include_str!("../../tests/encrypted_keys/scrypt.pem");
    const LEGACY: &str = include_str!("../../tests/encrypted_keys/legacy.pem");
    const EMPTY: &str = include_str!("../../tests/encrypted_keys/empty_passphrase.pem");
    const UTF8: &str = include_str!("../../tests/encrypted_keys/utf8.pem");
    const OTHERS: [&str; 3] = [
        include_str!("../../tests/encrypted_keys/aes128_sha512.pem"),
        include_str!("../../tests/encrypted_keys/aes192_sha384.pem"),
        include_str!("../../tests/encrypted_keys/scrypt_parallel.pem"),
    ];
    const REFUSED: [(&str, &str); 5] = [
        (include_str!("../../tests/encrypted_keys/des3.pem"), "not with AES"),
        (include_str!("../../tests/encrypted_keys/sha1.pem"), "not with AES"),
        (include_str!("../../tests/encrypted_keys/pbes1.pem"), "not with AES"),
        (include_str!("../../tests/encrypted_keys/pbkdf2_costly.pem"), "out of bounds"),
        (LEGACY, "`openssl pkcs8 -topk8 -in key.pem -out new.pem`"),
    ];
    const P384: &str = include_str!("../../tests/encrypted_keys/p384.pem");
    /// The key of all files but `p384.pem`.
    const PLAIN: &str = include_str!("../../tests/encrypted_keys/plain.pem");

    const PASSPHRASE: &str = "correct-horse";

    fn parse(text: &str, passphrase: &str) -> Result<PrivateKey, DpopError> {
        PrivateKey::parse_with_passphrase(text, &SecretString::new(passphrase))
    }

    fn is_the_key(key: &PrivateKey) -> bool {
        let plain = PrivateKey::parse(PLAIN).unwrap();
        let point = |key: &PrivateKey| *P256Keys.import(&key.scalar, None).unwrap().public();
        point(key) == point(&plain)
    }

    /// The file `scrypt.pem` with other parameters of scrypt.
    fn with_scrypt(change: impl FnOnce(&mut ScryptParams)) -> String {
        let (_, der) = SecretDocument::from_pem(SCRYPT).unwrap();
        let mut info = EncryptedPrivateKeyInfoRef::try_from(der.as_bytes()).unwrap();
        let EncryptionScheme::Pbes2(parameters) = &mut info.encryption_algorithm else {
            unreachable!()
        };
        let Kdf::Scrypt(scrypt) = &mut parameters.kdf else { unreachable!() };
        change(scrypt);
        let der = SecretDocument::try_from(info).unwrap();
        der.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).unwrap().to_string()
    }

    #[test]
    fn an_encrypted_key_is_read_with_its_passphrase() {
        // Rule F-14
        for pem in OTHERS.into_iter().chain([DEFAULT, SCRYPT]) {
            assert!(is_the_key(&parse(pem, PASSPHRASE).unwrap()), "{pem}");
        }
        assert!(is_the_key(&parse(EMPTY, "").unwrap()));
        assert!(is_the_key(&parse(UTF8, "pässwörd").unwrap()));
        // An environment variable has the PEM in one line.
        assert!(is_the_key(&parse(&DEFAULT.replace('\n', "\\n"), PASSPHRASE).unwrap()));
        assert!(is_the_key(&parse(&format!("key:\n{DEFAULT}# end"), PASSPHRASE).unwrap()));
        // A passphrase that nobody needs is no mistake.
        assert!(is_the_key(&parse(PLAIN, PASSPHRASE).unwrap()));
    }

    #[test]
    fn a_wrong_passphrase_is_an_error_of_its_own() {
        // Rule F-14
        for wrong in ["", "Correct-horse", "correct-horse "] {
            assert_eq!(parse(DEFAULT, wrong).unwrap_err(), DpopError::Passphrase, "{wrong}");
        }
        // Some of these leave a valid padding.
        for number in 0..1000 {
            let error = parse(OTHERS[0], &format!("wrong{number}")).unwrap_err();
            assert_eq!(error, DpopError::Passphrase, "{number}");
        }
        assert_eq!(PrivateKey::parse(DEFAULT).unwrap_err(), DpopError::Encrypted);
    }

    #[test]
    fn an_encrypted_key_that_cannot_be_used_is_refused_with_the_reason() {
        // Rule F-14
        for (pem, why) in REFUSED {
            let error = parse(pem, PASSPHRASE).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("openssl pkcs8 -topk8"), "{error}");
        }
        let error = parse(P384, PASSPHRASE).unwrap_err().to_string();
        assert!(error.contains("a key of P-384"), "{error}");
        let lost = parse(&DEFAULT.replace('\n', " "), PASSPHRASE).unwrap_err().to_string();
        assert!(lost.contains("line breaks are missing"), "{lost}");
        let empty =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----";
        assert!(parse(empty, PASSPHRASE).is_err());
    }

    #[test]
    fn a_file_cannot_choose_a_cost_without_bounds() {
        // Rule F-14: each of these would take hours, or all memory, or is no parameter of scrypt.
        let changes: [fn(&mut ScryptParams); 5] = [
            |scrypt| scrypt.cost_parameter = 1 << 19,
            |scrypt| scrypt.cost_parameter = 1 << 63,
            |scrypt| scrypt.cost_parameter = 0,
            |scrypt| scrypt.block_size = u16::MAX,
            |scrypt| scrypt.parallelization = u16::MAX,
        ];
        for change in changes {
            let error = parse(&with_scrypt(change), PASSPHRASE).unwrap_err().to_string();
            assert!(error.contains("out of bounds"), "{error}");
        }
        assert!(is_the_key(&parse(&with_scrypt(|_| ()), PASSPHRASE).unwrap()));
        let odd = with_scrypt(|scrypt| scrypt.cost_parameter = 12345);
        assert!(parse(&odd, PASSPHRASE).is_err());
    }
}
