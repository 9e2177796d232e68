//! Parsers of keys: private JWKs here; PEM, and what key services return, in files of their own.
//!
//! RFC 7518 section 6.2.

#[cfg(feature = "encrypted-keys")]
mod encrypted;
#[cfg(feature = "pem")]
mod pem;
#[cfg(feature = "pem")]
mod service;

use atproto_sansio::{KeyError, SecretKey, Signer, printable};
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroize;

use crate::curve::Curve;
use crate::curve::es256::P256Keys;
use crate::error::DpopError;
use crate::jwk::{Jwk, decode_32};

#[cfg(feature = "pem")]
pub use service::signature_from_der;

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
    /// Wraps a private scalar, without a `kid`. The scalar is checked when it is written or used.
    pub fn new(scalar: SecretKey) -> Self {
        Self { scalar, kid: None }
    }

    /// Exports the key of a crypto backend; `None` if the backend can't export it.
    pub fn of_signer(signer: &dyn Signer) -> Option<Self> {
        signer.export().map(Self::new)
    }

    /// Reads an unencrypted P-256 key: PEM (`PRIVATE KEY` or `EC PRIVATE KEY`), or a JWK with `d`.
    ///
    /// In a PEM, `\n` may stand for a line break, because an environment variable often holds the
    /// PEM in one line.
    ///
    /// # Errors
    ///
    /// [`DpopError::Pem`] or [`DpopError::Jwk`] if the text has another format, or if the key is
    /// public, not a P-256 key, or not for signatures with `ES256`. [`DpopError::Encrypted`] if the key
    /// is encrypted. [`DpopError::PemDisabled`] for a PEM without the feature `pem`.
    pub fn parse(text: &str) -> Result<Self, DpopError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.starts_with('{') { Self::from_jwk(text) } else { Self::from_pem(text) }
    }

    #[cfg(not(feature = "pem"))]
    fn from_pem(_: &str) -> Result<Self, DpopError> {
        Err(DpopError::PemDisabled)
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

#[cfg(test)]
mod tests {
    use super::*;

    const JWK: &str = r#"{"kty":"EC","crv":"P-256","kid":"k1",
        "d":"MGGjxc7a-fgtdCq1LKxz_hI8YJc6cqXQT5PmDe6faxg",
        "x":"da3LsoT1KGwCVPKJqeJdmdimpGz5bbXA9P4FNp9Z3UY",
        "y":"_MCqoHrhOc396Vs78T5FMOPFG7wOWWmOOmimQFjRTlc"}"#;

    fn refusal(text: &str) -> String {
        PrivateKey::parse(text).unwrap_err().to_string()
    }

    #[cfg(not(feature = "pem"))]
    #[test]
    fn without_the_feature_pem_a_pem_is_refused_with_the_way_out() {
        let told = refusal("-----BEGIN PRIVATE KEY-----");
        assert!(told.contains("feature `pem`"), "{told}");
        assert!(PrivateKey::parse(JWK).is_ok());
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
