//! Parser of private keys in the formats PKCS#8, SEC 1 and JWK.
//!
//! RFC 5208, RFC 5915, RFC 7518 section 6.2.

#[cfg(feature = "encrypted-keys")]
mod encrypted;

use atproto_sansio::{KeyError, SecretKey, printable};
use p256::pkcs8::{DecodePrivateKey, SecretDocument};
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::{Zeroize, Zeroizing};

use crate::curve::Curve;
use crate::curve::es256::P256Keys;
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
    /// In a PEM, `\n` may stand for a line break, because an environment variable often holds the
    /// PEM in one line.
    ///
    /// # Errors
    ///
    /// [`DpopError::Pem`] or [`DpopError::Jwk`] if the text has another format, or if the key is
    /// public, not a P-256 key, or not for signatures with `ES256`. [`DpopError::Encrypted`] if the key
    /// is encrypted.
    pub fn parse(text: &str) -> Result<Self, DpopError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.starts_with('{') {
            Self::from_jwk(text)
        } else {
            Self::from_pem(with_line_breaks(text).trim())
        }
    }

    /// A DPoP key may be of another curve, which servers need not accept from a client key.
    fn from_jwk(json: &str) -> Result<Self, DpopError> {
        match read_jwk(json) {
            Ok((jwk, scalar, kid)) if jwk.curve() == Curve::P256 => Ok(Self { scalar, kid }),
            Ok(_) | Err(DpopError::Es256kDisabled) => {
                let what = "`crv` must be P-256, not secp256k1, which only a DPoP key may have";
                Err(DpopError::Jwk(what.to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    fn from_pem(pem: &str) -> Result<Self, DpopError> {
        let refused = |what: &str| Err(DpopError::Pem(what.to_owned()));
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

    fn of_p256(key: &p256::SecretKey) -> Self {
        let mut bytes: [u8; 32] = key.to_bytes().into();
        let scalar = SecretKey::new(bytes);
        bytes.zeroize();
        Self { scalar, kid: None }
    }
}

/// Reads a private JWK: its public part, its scalar and its `kid`.
///
/// A `d` that is not the private key of `x` and `y` is an error, and so is a JWK that is not for
/// signatures with the algorithm of its curve.
pub(crate) fn read_jwk(json: &str) -> Result<(Jwk, SecretKey, Option<String>), DpopError> {
    /// Members of a JWK. `d` borrows from the JSON, so that no copy of the secret stays in memory.
    #[derive(Deserialize)]
    struct Members<'a> {
        keys: Option<IgnoredAny>,
        kty: Option<String>,
        crv: Option<String>,
        x: Option<String>,
        y: Option<String>,
        d: Option<&'a str>,
        alg: Option<String>,
        #[serde(rename = "use")]
        used_for: Option<String>,
        key_ops: Option<Vec<String>>,
        kid: Option<String>,
    }

    let refused = |what: String| Err(DpopError::Jwk(what));
    let malformed = || DpopError::Jwk("it must be JSON with kty, crv, x, y and d".to_owned());
    let jwk: Members<'_> = serde_json::from_str(json).map_err(|_| malformed())?;
    if jwk.keys.is_some() {
        return refused("it is a JWK Set; give one of its keys".to_owned());
    }
    let kty = jwk.kty.ok_or_else(malformed)?;
    let public = match (kty.as_str(), jwk.crv, jwk.x, jwk.y) {
        ("EC", Some(crv), Some(x), Some(y)) => Jwk::from_members(&kty, &crv, &x, &y)?,
        ("EC", ..) => return Err(malformed()),
        (_, Some(crv), ..) => return refused(format!("it is a key of {}", printable(crv))),
        (_, None, ..) => return refused(format!("its `kty` is {}, not EC", printable(kty))),
    };
    let Some(d) = jwk.d else {
        return refused("it has no `d`, so it is a public key; give the private key".to_owned());
    };
    if let Some(alg) = jwk.alg.filter(|alg| alg != public.alg()) {
        return refused(format!("its `alg` must be {}, not {}", public.alg(), printable(alg)));
    }
    if let Some(other) = jwk.used_for.filter(|used_for| used_for != "sig") {
        return refused(format!("its `use` must be sig, not {}", printable(other)));
    }
    if jwk.key_ops.is_some_and(|operations| !operations.iter().any(|name| name == "sign")) {
        return refused("its `key_ops` must contain sign".to_owned());
    }
    let Some(mut bytes) = decode_32(d) else {
        return refused("`d` must be 32 bytes in base64url".to_owned());
    };
    let scalar = SecretKey::new(bytes);
    bytes.zeroize();
    match public.curve().import(&scalar, public.point(), &P256Keys) {
        Err(KeyError::MISMATCH) => return refused(KeyError::MISMATCH.to_string()),
        imported => imported?,
    };
    Ok((public, scalar, jwk.kid))
}

/// The first block with this label. Other blocks, such as certificates or `EC PARAMETERS`, may be before and
/// after it.
fn block<'a>(pem: &'a str, label: &str) -> Option<&'a str> {
    let (_, from) = pem.split_at(pem.find(&format!("-----BEGIN {label}-----"))?);
    let end = format!("-----END {label}-----");
    Some(from.find(&end).map_or(from, |at| from.split_at(at + end.len()).0))
}

/// Copy of `pem` in which each `\n` of two characters is a line break.
fn with_line_breaks(pem: &str) -> Zeroizing<String> {
    // A string that grew would leave a copy of the key behind.
    let mut text = Zeroizing::new(String::with_capacity(pem.len() + 1));
    for line in pem.split("\\n") {
        text.push_str(line.strip_suffix("\\r").unwrap_or(line));
        text.push('\n');
    }
    text
}

/// The reason why a PEM block with the right label is not a P-256 key.
fn fault(block: &str) -> String {
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
fn kind(der: &[u8]) -> String {
    let has = |oid: &[u8]| der.windows(oid.len()).any(|window| window == oid);
    match KINDS.iter().find(|(oid, _)| has(oid)) {
        Some((_, kind)) => format!("it is {kind}, not of P-256; {MAKE_ONE}"),
        None if has(EC) && !has(P_256) => {
            format!("it is a key of another curve than P-256; {MAKE_ONE}")
        }
        None => "it is malformed".to_owned(),
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
            ("", "neither"),
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

    #[test]
    fn a_private_jwk_must_be_for_es256_signatures_and_fit_its_public_part() {
        // Rule F-14
        let with = |members: &str| JWK.replace("\"kid\"", &format!("{members},\"kid\""));
        for members in [
            r#""alg":"ES256""#,
            r#""use":"sig""#,
            r#""key_ops":["sign"]"#,
            r#""key_ops":["verify","sign"],"ext":true"#,
        ] {
            assert!(PrivateKey::parse(&with(members)).is_ok(), "{members}");
        }
        for (members, what) in [
            (r#""alg":"none""#, "ES256, not none"),
            (r#""alg":"ES384""#, "ES256, not ES384"),
            (r#""use":"enc""#, "sig, not enc"),
            (r#""key_ops":["verify"]"#, "key_ops"),
            (r#""key_ops":[]"#, "key_ops"),
        ] {
            let error = refusal(&with(members));
            assert!(error.contains(what), "{members}: {error}");
        }
        let error = refusal(&JWK.replace("MGGj", "MGGk"));
        assert!(error.contains("is not the private key of `x` and `y`"), "{error}");
    }
}
