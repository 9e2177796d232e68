//! A logged request, in the form that the reference network and the sandbox have in common.

use atproto_dpop::Jwk;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

/// A request that a server received, and the head of its response.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET` or `POST`.
    pub method: String,
    /// Path of the URL.
    pub path: String,
    /// Query of the URL; empty if the URL has none.
    pub query: String,
    /// Time of arrival, in seconds since 1970.
    pub at: u64,
    /// Header names in lower case, in the order of the request, with repetitions.
    pub header_names: Vec<String>,
    /// Header `Content-Type`.
    pub content_type: Option<String>,
    /// First word of the header `Authorization`.
    pub authorization_scheme: Option<String>,
    /// The first DPoP proof.
    pub proof: Option<Jws>,
    /// Whether the key in the proof's header signed the proof.
    pub proof_is_signed: bool,
    /// Whether `ath` is the hash of the access token; `None` without a proof or a token.
    pub ath_is_right: Option<bool>,
    /// The form in the body; the values of a repeated name are an array.
    pub form: Option<Map<String, Value>>,
    /// The client assertion in the form.
    pub assertion: Option<Jws>,
    /// Status of the response; `None` if there was no response.
    pub status: Option<u64>,
    /// Header `DPoP-Nonce` of the response.
    pub nonce: Option<String>,
}

/// A decoded JWS: a DPoP proof or a client assertion.
#[derive(Clone, Debug)]
pub struct Jws {
    /// JOSE header.
    pub header: Map<String, Value>,
    /// Claims.
    pub claims: Map<String, Value>,
    /// Length of the signature in bytes.
    pub signature_bytes: u64,
}

impl Seen {
    /// Returns method, path and status, for example `POST /oauth/par 201`.
    pub fn line(&self) -> String {
        let status =
            self.status.map_or_else(|| "(no response)".to_owned(), |status| status.to_string());
        format!("{} {} {status}", self.method, self.path)
    }

    /// Returns how often the request has the header.
    pub fn count(&self, header: &str) -> usize {
        self.header_names.iter().filter(|name| *name == header).count()
    }

    /// Returns a field of the form; `None` if the field is absent or repeated.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.as_ref()?.get(name)?.as_str()
    }
}

impl Jws {
    /// Parses a compact serialization; `None` if it is malformed. The second value says whether the
    /// key in its header signed it.
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
            (Some(jwk), Ok(signature)) => jwk.verify(message.as_bytes(), &signature),
            _ => false,
        };
        Some((jws, is_signed))
    }

    /// Returns the claim `name` if it is a string.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}
