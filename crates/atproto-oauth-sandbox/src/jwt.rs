//! Parsing and signature checks of JSON Web Tokens (RFC 7519, RFC 7515 section 7.1).

use atproto_dpop::Jwk;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

/// A compact JWS whose payload is a JSON object. The signature is not verified: see `is_signed_by`.
pub(crate) struct Jwt {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    /// The signing input: header and payload in base64url, separated by a period.
    message: String,
    signature: Vec<u8>,
}

impl Jwt {
    /// Splits and decodes a JWS; `None` if it is malformed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
            message: message.to_owned(),
            signature: Base64UrlUnpadded::decode_vec(signature).ok()?,
        })
    }

    /// Returns a member of the header; `None` if the member is missing or not a string.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    /// Returns a claim; `None` if the claim is missing or not a string.
    pub(crate) fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// Returns a claim that is a time in seconds since 1970 (RFC 7519 section 2, NumericDate):
    /// `None` if the claim is missing, `Err` if the claim is not a number.
    pub(crate) fn time(&self, name: &str) -> Result<Option<f64>, ()> {
        match self.claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(()),
        }
    }

    /// Whether `alg` is the algorithm of `key`, and the signature is valid for it. A JWS with `crit` is
    /// rejected, because no critical extension is supported (RFC 7515 section 4.1.11).
    pub(crate) fn is_signed_by(&self, key: &Jwk) -> bool {
        let Ok(signature) = <&[u8; 64]>::try_from(&self.signature[..]) else { return false };
        self.header("alg") == Some(key.alg())
            && !self.header.contains_key("crit")
            && key.verify(self.message.as_bytes(), signature)
    }
}

/// Decodes a JSON object from base64url.
fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).ok()?).ok()
}
