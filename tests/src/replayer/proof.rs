//! Parses and verifies a DPoP proof like a strict server (RFC 9449 section 4.3; Rules E-01 to
//! E-10).

use atproto_dpop::Jwk;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// A DPoP proof with a valid form and signature.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Thumbprint of the key that signed the proof (RFC 7638).
    pub thumbprint: String,
    /// Claims of the proof.
    pub claims: Map<String, Value>,
}

impl Proof {
    /// Parses the value of a `DPoP` header, and verifies its signature with the key in its `jwk`.
    ///
    /// # Errors
    ///
    /// Returns a description of the first member that is wrong.
    pub fn read(text: &str) -> Result<Self, String> {
        let [header, payload, signature] = text.split('.').collect::<Vec<_>>()[..] else {
            return Err(format!("the proof does not have three parts: {text}"));
        };
        let fields = object(header)?;
        let names: Vec<_> = fields.keys().map(String::as_str).collect();
        if names != ["alg", "jwk", "typ"] || fields["typ"] != "dpop+jwt" {
            return Err(format!("the proof's header is {fields:?}"));
        }
        let jwk = fields["jwk"].as_object().ok_or("the proof's jwk is not an object")?;
        let names: Vec<_> = jwk.keys().map(String::as_str).collect();
        if names != ["crv", "kty", "x", "y"] {
            return Err(format!("the proof's jwk has {names:?}"));
        }
        let jwk: Jwk =
            serde_json::from_value(fields["jwk"].clone()).map_err(|error| error.to_string())?;
        if fields["alg"] != jwk.alg() {
            return Err(format!("the proof's header is {fields:?}"));
        }
        let signed = format!("{header}.{payload}");
        let signature: [u8; 64] = decode(signature)?
            .try_into()
            .map_err(|_| "the proof's signature is not 64 bytes".to_owned())?;
        if !jwk.verify(signed.as_bytes(), &signature) {
            return Err("the proof's signature does not match its jwk".to_owned());
        }
        let claims = object(payload)?;
        for name in claims.keys() {
            if !["jti", "htm", "htu", "iat", "nonce", "ath"].contains(&name.as_str()) {
                return Err(format!("the proof has the claim {name}"));
            }
        }
        let jti = claims.get("jti").and_then(Value::as_str).ok_or("the proof has no jti")?;
        if decode(jti)?.len() < 12 {
            return Err("the proof's jti has fewer than 96 bits".to_owned());
        }
        Ok(Self { thumbprint: jwk.thumbprint(), claims })
    }

    /// Returns the claim `name` if it is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}

/// Returns the base64url SHA-256 of `text`, as `ath` and the PKCE challenge have it.
pub fn hash(text: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(text))
}

fn object(part: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_slice(&decode(part)?)
        .map_err(|error| format!("the proof is malformed: {error}"))
}

fn decode(part: &str) -> Result<Vec<u8>, String> {
    Base64UrlUnpadded::decode_vec(part).map_err(|error| format!("the proof is malformed: {error}"))
}
