//! The private keys that a confidential client signs its client assertions with.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use atproto_dpop::{DpopError, DpopKey, Jwk, PrivateKey, Unsigned};
use atproto_sansio::{Entropy, Keys, SecretString, Signer, printable};
use serde_json::{Value, json};

use crate::error::{ConfigError, Error};

/// A P-256 key that a confidential client signs its client assertions with (RFC 7523).
///
/// # How to make a key
///
/// With the command of this project, `atproto-oauth keygen --output client-key.pem`, or with
/// OpenSSL, as a PEM file whose text [`parse`](Self::parse) reads:
///
/// ```text
/// openssl ecparam -name prime256v1 -genkey -noout \
///     | openssl pkcs8 -topk8 -nocrypt -out client-key.pem
/// ```
///
/// Or in Rust, as a private JWK that [`parse`](Self::parse) reads, too:
///
/// ```
/// use atproto_dpop::P256Keys;
/// use atproto_oauth_core::{Client, ClientKey, Scopes};
/// use atproto_sansio::SystemEntropy;
///
/// // Once: generate the key, and store the private JWK as a secret.
/// let key = ClientKey::generate(&P256Keys, &mut SystemEntropy)?;
/// let jwk = key.to_jwk().expect("keys of P256Keys can be exported");
///
/// // At each start of the program: read the stored key.
/// let key = ClientKey::parse(jwk.expose(), &P256Keys)?;
/// let client = Client::web("https://app.example.com/client.json", Scopes::parse("atproto")?)
///     .redirect_uri("https://app.example.com/callback")
///     .key(key.clone())
///     .build()?;
/// let published = client.metadata().expect("a web client has a metadata document");
/// assert!(published.contains(key.kid()));
/// # Ok::<(), atproto_oauth_core::Error>(())
/// ```
///
/// # Public and private part
///
/// Publish the public part: serve [`Client::metadata`](crate::Client::metadata) at the
/// `client_id`. If the client has a [`jwks_uri`](crate::ClientBuilder::jwks_uri), serve
/// [`Client::jwks`](crate::Client::jwks) at that URL, too. Both documents contain public keys only.
///
/// Keep the private part secret, out of repositories, logs and distributed programs, because every
/// holder of the private key can authenticate as this client. `Debug` shows the `kid` only.
///
/// Keep both parts of the key as long as sessions exist that were begun with the key. Without the
/// key, such a session can't be refreshed
/// ([`SessionError::NoSuchKey`](crate::SessionError::NoSuchKey)). Never use a client key as the
/// DPoP key of a session.
#[derive(Clone)]
pub struct ClientKey {
    kid: String,
    jwk: Jwk,
    holder: Holder,
}

#[derive(Clone)]
enum Holder {
    Local(Arc<dyn Signer>),
    Remote { key_id: String },
}

impl ClientKey {
    /// Generates a key in the crypto backend `keys`. Its [`kid`](Self::kid) is its JWK thumbprint
    /// (RFC 7638).
    ///
    /// # Errors
    ///
    /// [`Error::Dpop`] if the backend generates a point that is not on the P-256 curve.
    pub fn generate(keys: &dyn Keys, entropy: &mut dyn Entropy) -> Result<Self, Error> {
        Self::new(keys.generate(entropy))
    }

    /// Reads an unencrypted private key: PEM (PKCS#8 or SEC 1) or JWK. The [`kid`](Self::kid) is
    /// the `kid` of the JWK, or else the thumbprint of the key.
    ///
    /// `text` is the content of a file or variable, not the name of a file. `keys` is the crypto backend
    /// that holds the key: `RingKeys` or `AwsLcKeys` of an adapter, or
    /// [`P256Keys`](atproto_dpop::P256Keys).
    ///
    /// # Errors
    ///
    /// [`Error::Dpop`] if the text has another format, or if the key is encrypted, public, not a
    /// P-256 key, or a JWK for another algorithm or use than `ES256` signatures.
    pub fn parse(text: &str, keys: &dyn Keys) -> Result<Self, Error> {
        Self::imported(PrivateKey::parse(text)?, keys)
    }

    /// Reads a private key like [`parse`](Self::parse), and also one that is encrypted with a passphrase: PEM
    /// with `ENCRYPTED PRIVATE KEY`, as `openssl pkcs8 -topk8` writes it. The work for it is bounded, and may
    /// take some seconds ([`PrivateKey::parse_with_passphrase`]).
    ///
    /// # Errors
    ///
    /// [`DpopError::Passphrase`](atproto_dpop::DpopError::Passphrase) as [`Error::Dpop`] if the passphrase is
    /// wrong. [`Error::Dpop`] if the key is encrypted in another way, and for the reasons of
    /// [`parse`](Self::parse).
    #[cfg(feature = "encrypted-keys")]
    pub fn parse_with_passphrase(
        text: &str,
        passphrase: &SecretString,
        keys: &dyn Keys,
    ) -> Result<Self, Error> {
        Self::imported(PrivateKey::parse_with_passphrase(text, passphrase)?, keys)
    }

    fn imported(key: PrivateKey, keys: &dyn Keys) -> Result<Self, Error> {
        let PrivateKey { scalar, kid, .. } = key;
        let key = Self::new(keys.import(&scalar, None).map_err(DpopError::from)?)?;
        Ok(match kid {
            Some(kid) => key.with_kid(kid),
            None => key,
        })
    }

    /// Wraps a key of a crypto backend. Its [`kid`](Self::kid) is its JWK thumbprint (RFC 7638).
    ///
    /// # Errors
    ///
    /// [`Error::Dpop`] if the public point of `signer` is not on the P-256 curve.
    pub fn new(signer: Arc<dyn Signer>) -> Result<Self, Error> {
        let jwk = Jwk::new(*signer.public())?;
        Ok(Self { kid: jwk.thumbprint(), jwk, holder: Holder::Local(signer) })
    }

    /// A key whose private part this process does not hold: in a hardware module, or at a signing
    /// service. `key_id` is the name of the key at that remote signer. `public` is its public key: a JWK
    /// is read with `serde_json`, and with the feature `pem`, `Jwk::from_public_der` and `Jwk::from_public_pem` read
    /// the forms of key services. Each signature is a
    /// [`Call::Sign`](atproto_sansio::Call::Sign) with this `key_id`, which the driver passes to
    /// its remote signer. [`ClientBuilder::build`](crate::ClientBuilder::build) rejects a `public` of
    /// another curve than P-256.
    pub fn remote(key_id: impl Into<String>, public: Jwk) -> Self {
        let holder = Holder::Remote { key_id: key_id.into() };
        Self { kid: public.thumbprint(), jwk: public, holder }
    }

    /// Replaces the `kid`, which must not be empty. Change it only before the key is published, because a session finds its
    /// key by `kid` and thumbprint.
    pub fn with_kid(self, kid: impl Into<String>) -> Self {
        Self { kid: kid.into(), ..self }
    }

    /// Name of the key in the client's metadata and in the header of each client assertion.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Public part of the key.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Returns the private JWK with its `kid`, which [`parse`](Self::parse) reads; `None` for a
    /// remote key, or if the crypto backend can't export the key.
    pub fn to_jwk(&self) -> Option<SecretString> {
        let Holder::Local(signer) = &self.holder else { return None };
        let jwk = DpopKey::new(Arc::clone(signer)).to_jwk()?;
        let members = jwk.expose().strip_prefix('{')?;
        // A string that grew would leave a copy of the private key behind.
        let kid = json!(self.kid).to_string();
        Some(SecretString::new([r#"{"kid":"#, &kid, ",", members].concat()))
    }

    /// Returns the private key as PEM (PKCS#8), which [`parse`](Self::parse) reads; `None` for a
    /// remote key, or if the crypto backend can't export the key.
    ///
    /// A PEM has no `kid`: the key that is read from it has its thumbprint as the `kid`.
    #[cfg(feature = "pem")]
    pub fn to_pkcs8_pem(&self) -> Option<SecretString> {
        self.exported()?.to_pkcs8_pem().ok()
    }

    /// Returns the private key as PEM (SEC 1), like [`to_pkcs8_pem`](Self::to_pkcs8_pem).
    #[cfg(feature = "pem")]
    pub fn to_sec1_pem(&self) -> Option<SecretString> {
        self.exported()?.to_sec1_pem().ok()
    }

    /// Returns the public JWK with `kid`, `alg` and `use`, as an element of the client's
    /// [`jwks`](crate::Client::jwks).
    pub fn public_jwk(&self) -> String {
        self.published().to_string()
    }

    #[cfg(feature = "pem")]
    fn exported(&self) -> Option<PrivateKey> {
        match &self.holder {
            Holder::Local(signer) => PrivateKey::of_signer(&**signer),
            Holder::Remote { .. } => None,
        }
    }

    /// Public JWK with `kid`, `alg` and `use`, an element of the client's `jwks`.
    pub(crate) fn published(&self) -> Value {
        let mut jwk = json!(self.jwk);
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".to_owned(), self.kid.clone().into());
            members.insert("alg".to_owned(), "ES256".into());
            members.insert("use".to_owned(), "sig".into());
        }
        jwk
    }

    pub(crate) fn remote_id(&self) -> Option<&str> {
        match &self.holder {
            Holder::Local(_) => None,
            Holder::Remote { key_id } => Some(key_id),
        }
    }

    pub(crate) fn sign(&self, unsigned: Unsigned) -> Result<String, Error> {
        match &self.holder {
            Holder::Local(signer) => {
                let jws = unsigned.sign(&**signer).map_err(DpopError::from)?;
                Ok(String::from_utf8(jws).expect("a compact JWS is ASCII"))
            }
            Holder::Remote { .. } => {
                unreachable!("the remote signer has signed before the request is built")
            }
        }
    }

    /// Appends the remote signer's `signature` to `message`, after verifying it. A wrong signature
    /// is an error of the remote signer. If it was sent, the refusal of the authorization server
    /// would look like the end of the session.
    pub(crate) fn finish(&self, message: &[u8], signature: &[u8; 64]) -> Result<String, Error> {
        if !atproto_dpop::verify(self.jwk.point(), message, signature) {
            return Err(DpopError::Signature.into());
        }
        let jws = Unsigned::of_message(message).finish(signature);
        Ok(String::from_utf8(jws).expect("a compact JWS is ASCII"))
    }
}

/// Checks the `kid` of one of several keys, and adds it to `seen`: it has a visible character, and no
/// other key has it.
pub(crate) fn check_kid<'a>(kid: &'a str, seen: &mut BTreeSet<&'a str>) -> Result<(), ConfigError> {
    if kid.trim().is_empty() {
        return Err(ConfigError::EmptyKid);
    }
    if !seen.insert(kid) {
        return Err(ConfigError::SameKid(printable(kid)));
    }
    Ok(())
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKey({})", self.kid)
    }
}

#[cfg(all(test, feature = "pem"))]
mod tests {
    use atproto_dpop::P256Keys;
    use atproto_sansio::SystemEntropy;

    use super::*;

    #[test]
    fn a_private_jwk_keeps_the_kid_and_debug_shows_the_kid_only() {
        // Rule F-14
        let key = ClientKey::generate(&P256Keys, &mut SystemEntropy).unwrap().with_kid("a \"b\"");
        let jwk = key.to_jwk().unwrap();
        let read = ClientKey::parse(jwk.expose(), &P256Keys).unwrap();
        assert_eq!((read.kid(), read.jwk()), (key.kid(), key.jwk()));
        assert_eq!(format!("{key:?}"), "ClientKey(a \"b\")");
        let remote = ClientKey::remote("in the safe", *key.jwk());
        let exports = [remote.to_jwk(), remote.to_pkcs8_pem(), remote.to_sec1_pem()];
        assert!(exports.iter().all(Option::is_none));
    }

    #[test]
    fn a_key_survives_every_format() {
        // Rules F-12, F-14
        let key = ClientKey::generate(&P256Keys, &mut SystemEntropy).unwrap();
        let formats = |key: &ClientKey| {
            [key.to_pkcs8_pem(), key.to_sec1_pem(), key.to_jwk()].map(Option::unwrap)
        };
        for text in formats(&key) {
            let read = ClientKey::parse(text.expose(), &P256Keys).unwrap();
            assert_eq!((read.kid(), read.jwk()), (key.jwk().thumbprint().as_str(), key.jwk()));
            let again = formats(&read);
            for (again, before) in again.iter().zip(formats(&key)) {
                assert_eq!(again.expose(), before.expose());
            }
        }
        let public: Value = serde_json::from_str(&key.public_jwk()).unwrap();
        assert_eq!((&public["kid"], &public["d"]), (&json!(key.kid()), &Value::Null));
    }
}
