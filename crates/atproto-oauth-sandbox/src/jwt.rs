//! JSON Web Tokens as a server reads them (RFC 7519, RFC 7515 section 7.1).

use atproto_dpop::verify;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

/// A compact JWS whose payload is a JSON object. Nothing is verified yet.
pub(crate) struct Jwt {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    message: String,
    signature: Vec<u8>,
}

impl Jwt {
    /// Its parts, unless it is malformed.
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

    /// A member of the header that is a string.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    /// A claim that is a string.
    pub(crate) fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// A claim that is a time (RFC 7519 section 2, NumericDate). `Err` if it is something else.
    pub(crate) fn time(&self, name: &str) -> Result<Option<f64>, ()> {
        match self.claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(()),
        }
    }

    /// Whether it says `ES256` and was signed so by the key with this point, and its header asks
    /// for nothing that is not understood here (RFC 7515 section 4.1.11).
    pub(crate) fn is_signed_by(&self, point: &[u8; 64]) -> bool {
        let Ok(signature) = <&[u8; 64]>::try_from(&self.signature[..]) else { return false };
        self.header("alg") == Some("ES256")
            && !self.header.contains_key("crit")
            && verify(point, self.message.as_bytes(), signature)
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).ok()?).ok()
}
