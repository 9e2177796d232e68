//! Valid and invalid JWTs: DPoP proofs and client assertions.

use std::sync::Arc;

use atproto_dpop::{Jwk, P256Keys};
use atproto_sansio::{Entropy, KeyError, Keys, SecretKey, Signer, SystemEntropy};
use base64ct::{Base64UrlUnpadded, Encoding};
use k256::ecdsa::signature::Signer as _;
use k256::ecdsa::{Signature, SigningKey};
use serde_json::{Map, Value, json};

/// A key of the client.
#[derive(Clone)]
pub(crate) struct Key {
    signer: Arc<dyn Signer>,
    jwk: Jwk,
}

impl Key {
    /// A new P-256 key.
    pub(crate) fn new() -> Self {
        let signer = P256Keys.generate(&mut SystemEntropy);
        Self { jwk: Jwk::new(*signer.public()).unwrap(), signer }
    }

    /// A new secp256k1 key, whose signatures have a high `s` if `is_high`, else a low one.
    pub(crate) fn secp256k1(is_high: bool) -> Self {
        let mut scalar = [0; 32];
        SystemEntropy.fill(&mut scalar);
        let key = SigningKey::from_slice(&scalar).unwrap();
        let point = key.verifying_key().to_sec1_point(false);
        let public: [u8; 64] = point.as_bytes()[1..].try_into().unwrap();
        let [x, y] = [&public[..32], &public[32..]].map(Base64UrlUnpadded::encode_string);
        let jwk = json!({"kty": "EC", "crv": "secp256k1", "x": x, "y": y});
        let jwk = serde_json::from_value(jwk).unwrap();
        Self { signer: Arc::new(Secp256k1 { key, public, is_high }), jwk }
    }

    pub(crate) fn public_jwk(&self) -> Value {
        serde_json::from_str(&self.jwk.to_json()).unwrap()
    }

    pub(crate) fn private_jwk(&self) -> Value {
        let mut jwk = self.public_jwk();
        let scalar = self.signer.export().unwrap();
        jwk["d"] = Base64UrlUnpadded::encode_string(scalar.expose()).into();
        jwk
    }

    pub(crate) fn thumbprint(&self) -> String {
        self.jwk.thumbprint()
    }
}

struct Secp256k1 {
    key: SigningKey,
    public: [u8; 64],
    is_high: bool,
}

impl Signer for Secp256k1 {
    fn public(&self) -> &[u8; 64] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let low: Signature = self.key.sign(message);
        let (r, s) = low.split_scalars();
        let high = || Signature::from_scalars(r, -s).unwrap();
        Ok(if self.is_high { high() } else { low }.to_bytes().into())
    }

    fn export(&self) -> Option<SecretKey> {
        Some(SecretKey::new(self.key.to_bytes().into()))
    }
}

/// An unsigned JWT whose header, claims and key can be changed.
#[derive(Clone)]
pub(crate) struct Jwt {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) key: Key,
}

impl Jwt {
    /// Returns a DPoP proof without `nonce` and `ath` (RFC 9449 section 4.2).
    pub(crate) fn proof(key: &Key, method: &str, url: &str, now: u64) -> Self {
        let header = json!({"typ": "dpop+jwt", "alg": key.jwk.alg(), "jwk": key.public_jwk()});
        let claims = json!({"jti": random(), "htm": method, "htu": url, "iat": now});
        Self::new(header, claims, key)
    }

    /// Returns a client assertion that expires after 60 seconds (RFC 7523 section 3).
    pub(crate) fn assertion(key: &Key, kid: &str, client_id: &str, issuer: &str, now: u64) -> Self {
        let header = json!({"alg": "ES256", "kid": kid});
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": issuer,
            "jti": random(),
            "iat": now,
            "exp": now + 60,
        });
        Self::new(header, claims, key)
    }

    /// Sets a claim; `null` removes it.
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// Sets a member of the header; `null` removes it.
    pub(crate) fn jose(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    /// Replaces the signing key; the header is unchanged.
    pub(crate) fn key(mut self, key: &Key) -> Self {
        self.key = key.clone();
        self
    }

    /// Signs the JWT, and returns its compact serialization.
    pub(crate) fn signed(&self) -> String {
        let encode = |part: &Map<String, Value>| {
            Base64UrlUnpadded::encode_string(Value::from(part.clone()).to_string().as_bytes())
        };
        let signed = format!("{}.{}", encode(&self.header), encode(&self.claims));
        let signature = self.key.signer.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", Base64UrlUnpadded::encode_string(&signature))
    }

    fn new(header: Value, claims: Value, key: &Key) -> Self {
        let object = |value: Value| value.as_object().unwrap().clone();
        Self { header: object(header), claims: object(claims), key: key.clone() }
    }
}

/// Returns 256 random bits as base64url: a `jti`, a `state` or a PKCE verifier.
pub(crate) fn random() -> String {
    let mut bytes = [0; 32];
    SystemEntropy.fill(&mut bytes);
    Base64UrlUnpadded::encode_string(&bytes)
}

fn set(object: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
}
