//! Private keys in PEM: PKCS#8 and SEC 1.
//!
//! RFC 5208, RFC 5915, RFC 7468.

use atproto_sansio::SecretKey;
use p256::pkcs8::{DecodePrivateKey, SecretDocument};
use zeroize::{Zeroize, Zeroizing};

use crate::error::DpopError;
use crate::import::PrivateKey;

impl PrivateKey {
    /// Reads a PEM, in which `\n` may stand for a line break.
    pub(super) fn from_pem(text: &str) -> Result<Self, DpopError> {
        let pem = with_line_breaks(text);
        let pem = pem.trim();
        let refused = |what: &str| Err(DpopError::Pem(what.to_owned()));
        if pem.is_empty() {
            return refused("the text is empty");
        }
        if !pem.contains("-----BEGIN ") {
            return refused(
                "the text has no `-----BEGIN `, as a PEM has, and no `{` at its start, as a JWK has",
            );
        }
        if pem.contains("Proc-Type: 4,ENCRYPTED") {
            return refused(
                "it is encrypted in a format of old versions of OpenSSL; convert it with \
                 `openssl pkcs8 -topk8 -in key.pem -out new.pem`",
            );
        }
        if pem.contains("-----BEGIN ENCRYPTED") {
            return Err(DpopError::Encrypted);
        }
        let (block, key) = if let Some(block) = block(pem, "PRIVATE KEY") {
            (block, p256::SecretKey::from_pkcs8_pem(block).ok())
        } else if let Some(block) = block(pem, "EC PRIVATE KEY") {
            (block, p256::SecretKey::from_sec1_pem(block).ok())
        } else if pem.contains("-----BEGIN RSA PRIVATE KEY-----") {
            return refused(&format!("it is an RSA key; {MAKE_ONE}"));
        } else if pem.contains("-----BEGIN OPENSSH PRIVATE KEY-----") {
            return refused(&format!("it is a key in the format of OpenSSH; {MAKE_ONE}"));
        } else if pem.contains("PUBLIC KEY-----") {
            return refused("it is a public key; give the private key");
        } else {
            return refused("it is neither `PRIVATE KEY` (PKCS#8) nor `EC PRIVATE KEY` (SEC 1)");
        };
        let Some(key) = key else { return Err(DpopError::Pem(fault(block))) };
        Ok(Self::of_p256(&key))
    }

    pub(super) fn of_p256(key: &p256::SecretKey) -> Self {
        let mut bytes: [u8; 32] = key.to_bytes().into();
        let scalar = SecretKey::new(bytes);
        bytes.zeroize();
        Self { scalar, kid: None }
    }
}

/// The first block with this label. Other blocks, such as certificates or `EC PARAMETERS`, may be before and
/// after it.
pub(super) fn block<'a>(pem: &'a str, label: &str) -> Option<&'a str> {
    let (_, from) = pem.split_at(pem.find(&format!("-----BEGIN {label}-----"))?);
    let end = format!("-----END {label}-----");
    Some(from.find(&end).map_or(from, |at| from.split_at(at + end.len()).0))
}

/// Copy of `pem` in which each `\n` of two characters is a line break.
pub(super) fn with_line_breaks(pem: &str) -> Zeroizing<String> {
    // A string that grew would leave a copy of the key behind.
    let mut text = Zeroizing::new(String::with_capacity(pem.len() + 1));
    for line in pem.split("\\n") {
        text.push_str(line.strip_suffix("\\r").unwrap_or(line));
        text.push('\n');
    }
    text
}

/// The reason why a PEM block with the right label is not a P-256 key.
pub(super) fn fault(block: &str) -> String {
    let Ok((_, der)) = SecretDocument::from_pem(block) else {
        return if block.trim().contains('\n') {
            "it is malformed".to_owned()
        } else {
            "its line breaks are missing; write each as a line break, or as \\n".to_owned()
        };
    };
    kind(der.as_bytes())
}

/// The reason why a private key in DER is not a P-256 key.
pub(super) fn kind(der: &[u8]) -> String {
    match other_kind(der) {
        Some(kind) => format!("it is {kind}; {MAKE_ONE}"),
        None => "it is malformed".to_owned(),
    }
}

/// The kind of a key in DER that is not of P-256.
pub(super) fn other_kind(der: &[u8]) -> Option<String> {
    let has = |oid: &[u8]| der.windows(oid.len()).any(|window| window == oid);
    match KINDS.iter().find(|(oid, _)| has(oid)) {
        Some((_, kind)) => Some(format!("{kind}, not of P-256")),
        None if has(EC) && !has(P_256) => Some("a key of another curve than P-256".to_owned()),
        None => None,
    }
}

const MAKE_ONE: &str =
    "make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`";

/// Object identifiers of keys that are often mistaken for a P-256 key, in DER.
const KINDS: [(&[u8], &str); 7] = [
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1], "an RSA key"),
    (&[6, 5, 0x2b, 0x81, 4, 0, 34], "a key of P-384"),
    (&[6, 5, 0x2b, 0x81, 4, 0, 35], "a key of P-521"),
    (&[6, 5, 0x2b, 0x81, 4, 0, 10], "a key of secp256k1"),
    (&[6, 3, 0x2b, 0x65, 112], "a key of Ed25519"),
    (&[6, 3, 0x2b, 0x65, 113], "a key of Ed448"),
    (&[6, 3, 0x2b, 0x65, 110], "a key of X25519"),
];
const EC: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P_256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

#[cfg(test)]
mod tests {
    use atproto_sansio::Keys;

    use super::*;
    use crate::curve::es256::P256Keys;
    use crate::jwk::Jwk;

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

    const OTHERS: [(&str, &str); 4] = [
        (
            "secp256k1",
            "-----BEGIN PRIVATE KEY-----
MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgVfNXdeRo0oQInWCVaJb6
9DHWe5+Xt/p8PFwp/yMB+t+hRANCAAQDyLFUU9taeijGvHW7nl5dFHhQeF/C1Grv
4wlvN9NqiyUU7xQ0jNHU3hu5SKVKX0DPM3D71fG2nU8hqeN5txrr
-----END PRIVATE KEY-----",
        ),
        (
            "secp256k1",
            "-----BEGIN EC PRIVATE KEY-----
MHQCAQEEIE4yCLUtvKTDo1Cuqdk+1rMwcBGwV8NLQTcih+Xj+VjSoAcGBSuBBAAK
oUQDQgAENek3qbZXNVXSIlNCayCiBnKqK6Zvk2C37Ck2PZBScWx5CLvIt48wLkwU
PP8K82XLv7rSQtl2Fh5zVaDizX+OkA==
-----END EC PRIVATE KEY-----",
        ),
        (
            "Ed25519",
            "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIDCGcCkcK6yRnMMW21hq93JqfPyq4DhsVTKc01CpmUZt
-----END PRIVATE KEY-----",
        ),
        (
            "another curve",
            "-----BEGIN PRIVATE KEY-----
MIGIAgEAMBQGByqGSM49AgEGCSskAwMCCAEBBwRtMGsCAQEEIJDTFiP/sZNy79de
qCUJbgwCTLWOy5CI54JCC4lTFPsToUQDQgAEAZHq8suz7xMYTRau6yStFRd/76dy
DYQvQeFT1UnsGKpMrVDwO8V5cacr6p2CNpL5L3LqY4UnF2mwlNl2Cbi3dA==
-----END PRIVATE KEY-----",
        ),
    ];

    fn refusal(text: &str) -> String {
        PrivateKey::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn all_forms_of_a_key_are_the_same_key() {
        // Rule F-14
        let jwk: Jwk = serde_json::from_str(JWK).unwrap();
        for (text, kid) in [(SEC1, None), (PKCS8, None), (JWK, Some("k1"))] {
            let key = PrivateKey::parse(text).unwrap();
            assert_eq!(key.kid.as_deref(), kid);
            assert_eq!(P256Keys.import(&key.scalar, None).unwrap().public(), jwk.point());
        }
    }

    #[test]
    fn a_pem_of_an_environment_variable_may_have_its_line_breaks_escaped() {
        // Rule F-14
        let jwk: Jwk = serde_json::from_str(JWK).unwrap();
        for pem in [SEC1, PKCS8] {
            for written in ["\\n", "\\r\\n", "\r\n"] {
                let key = PrivateKey::parse(&pem.replace('\n', written)).unwrap();
                assert_eq!(P256Keys.import(&key.scalar, None).unwrap().public(), jwk.point());
            }
            let lost = refusal(&pem.replace('\n', " "));
            assert!(lost.contains("line breaks are missing"), "{lost}");
        }
    }

    #[test]
    fn a_pem_may_have_other_blocks_and_text_around_its_key() {
        // Rule F-14
        let jwk: Jwk = serde_json::from_str(JWK).unwrap();
        let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in [SEC1, PKCS8] {
            for text in [format!("{other}{pem}{other}"), format!("key:\n{pem}\n\n# end")] {
                let key = PrivateKey::parse(&text).unwrap();
                assert_eq!(P256Keys.import(&key.scalar, None).unwrap().public(), jwk.point());
            }
            let quoted = format!("\"{}\"", pem.trim().replace('\n', "\\n"));
            assert!(PrivateKey::parse(&quoted).is_ok());
        }
    }

    #[test]
    fn the_error_names_the_kind_of_an_unsupported_key() {
        // Rule F-14
        let encrypted = SEC1
            .replace("PRIVATE KEY-----\nMHc", "PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMHc");
        for (text, what) in [
            ("", "empty"),
            ("/etc/app/key.pem", "no `-----BEGIN `"),
            ("-----BEGIN CERTIFICATE-----", "neither"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "malformed"),
            (P384, "a key of P-384"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "encrypted"),
            (&encrypted, "encrypted"),
            ("-----BEGIN RSA PRIVATE KEY-----", "RSA"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "OpenSSH"),
            ("-----BEGIN PUBLIC KEY-----", "public"),
            ("{}", "JSON"),
            (r#"{"keys":[]}"#, "JWK Set"),
            (r#"{"kty":"RSA","n":"x","e":"AQAB","d":"x"}"#, "`kty` is RSA"),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"x","d":"x"}"#, "Ed25519"),
            (&JWK.replace("P-256", "secp256k1"), "secp256k1"),
            (&JWK.replace("\"d\"", "\"e\""), "public"),
        ] {
            let error = refusal(text);
            assert!(error.contains(what), "{text}: {error}");
        }
        for (what, text) in OTHERS {
            let error = refusal(text);
            assert!(error.contains(what) && error.contains("openssl"), "{text}: {error}");
        }
    }
}
