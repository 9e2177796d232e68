//! The keys of a confidential client.

use std::fmt;
use std::sync::Arc;

use atproto_dpop::{DpopError, Jwk, PrivateKey, Unsigned};
use atproto_sansio::{Keys, Signer};
use serde_json::{Value, json};

use crate::error::Error;

/// A key that a confidential client signs its assertions with. `Debug` shows its name only.
///
/// Its public part must be in the client's published metadata under the same name for as long as
/// sessions live that were begun with it.
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
    /// Reads a private key: PEM (PKCS#8 or SEC 1), or a JWK, whose `kid` becomes the key's name.
    ///
    /// # Errors
    ///
    /// It is something else, encrypted, or no P-256 key.
    pub fn parse(text: &str, keys: &dyn Keys) -> Result<Self, Error> {
        let PrivateKey { scalar, kid, .. } = PrivateKey::parse(text)?;
        let key = Self::new(keys.import(&scalar).map_err(DpopError::from)?)?;
        Ok(match kid {
            Some(kid) => key.with_kid(kid),
            None => key,
        })
    }

    /// The key of `signer`, named by its thumbprint.
    ///
    /// # Errors
    ///
    /// The signer's public point is not on the curve.
    pub fn new(signer: Arc<dyn Signer>) -> Result<Self, Error> {
        let jwk = Jwk::new(*signer.public())?;
        Ok(Self { kid: jwk.thumbprint(), jwk, holder: Holder::Local(signer) })
    }

    /// A key that this process does not hold: in hardware, or at a signing service. `key_id` is its
    /// name there: the driver's remote signer is given it with each message to sign
    /// ([`Call::Sign`](atproto_sansio::Call::Sign)).
    pub fn remote(key_id: impl Into<String>, public: Jwk) -> Self {
        let holder = Holder::Remote { key_id: key_id.into() };
        Self { kid: public.thumbprint(), jwk: public, holder }
    }

    /// The same key under another name.
    pub fn with_kid(self, kid: impl Into<String>) -> Self {
        Self { kid: kid.into(), ..self }
    }

    /// The key's name in the client's metadata.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The public key as the client's metadata publishes it.
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
                unreachable!("a key that lives elsewhere is asked before the request is made")
            }
        }
    }

    /// Joins a message with the signature that was made of it elsewhere, which is checked: a wrong
    /// one would look like a dead session.
    pub(crate) fn finish(&self, message: &[u8], signature: &[u8; 64]) -> Result<String, Error> {
        if !atproto_dpop::verify(self.jwk.point(), message, signature) {
            return Err(DpopError::Signature.into());
        }
        let jws = Unsigned::of_message(message).finish(signature);
        Ok(String::from_utf8(jws).expect("a compact JWS is ASCII"))
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKey({})", self.kid)
    }
}
