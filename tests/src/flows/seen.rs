//! What a server saw, as far as it can be told alike of the reference network and of the sandbox.

use atproto_dpop::{Jwk, verify};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

/// A request, and the answer to it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET` or `POST`.
    pub method: String,
    /// The path of its URL.
    pub path: String,
    /// The query of its URL, or nothing.
    pub query: String,
    /// When it arrived: seconds since 1970.
    pub at: u64,
    /// In small letters, in the order of the request, with repetitions.
    pub header_names: Vec<String>,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// The first word of its `Authorization`.
    pub authorization_scheme: Option<String>,
    /// The (first) proof that it carried.
    pub proof: Option<Jws>,
    /// Whether the key in the proof's header signed it.
    pub proof_is_signed: bool,
    /// Whether `ath` is the hash of the access token, if there are both.
    pub ath_is_right: Option<bool>,
    /// The form that it carried; a name that is there twice is an array.
    pub form: Option<Map<String, Value>>,
    /// The client assertion in the form.
    pub assertion: Option<Jws>,
    /// The status of the answer, if there was one.
    pub status: Option<u64>,
    /// The `DPoP-Nonce` of the answer.
    pub nonce: Option<String>,
}

/// A signed token.
#[derive(Clone, Debug)]
pub struct Jws {
    /// Its header.
    pub header: Map<String, Value>,
    /// Its claims.
    pub claims: Map<String, Value>,
    /// The length of its signature.
    pub signature_bytes: u64,
}

impl Seen {
    /// `POST /oauth/par 201`.
    pub fn line(&self) -> String {
        let status =
            self.status.map_or_else(|| "(no answer)".to_owned(), |status| status.to_string());
        format!("{} {} {status}", self.method, self.path)
    }

    /// How often a header is there.
    pub fn count(&self, header: &str) -> usize {
        self.header_names.iter().filter(|name| *name == header).count()
    }

    /// A field of the form that is there once.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.as_ref()?.get(name)?.as_str()
    }
}

impl Jws {
    /// Reads the compact serialization, if it is one; and whether the key in its header signed it.
    pub fn read(text: &str) -> Option<(Self, bool)> {
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let object = |part: &str| {
            let bytes = Base64UrlUnpadded::decode_vec(part).ok()?;
            serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
        };
        let signature = Base64UrlUnpadded::decode_vec(signature).ok()?;
        let signature_bytes = signature.len() as u64;
        let jws = Self { header: object(header)?, claims: object(claims)?, signature_bytes };
        let jwk =
            jws.header.get("jwk").and_then(|jwk| serde_json::from_value::<Jwk>(jwk.clone()).ok());
        let is_signed = match (jwk, <[u8; 64]>::try_from(signature)) {
            (Some(jwk), Ok(signature)) => verify(jwk.point(), message.as_bytes(), &signature),
            _ => false,
        };
        Some((jws, is_signed))
    }

    /// A claim that is a string.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}
