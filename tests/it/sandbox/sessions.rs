//! The binding of a session to its client and its DPoP key.

use std::sync::Arc;

use atproto_dpop::{DpopKey, P256Keys};
use atproto_oauth_core::{
    CallbackParams, ClientKey, Error, Revocation, SessionEffect, SessionError,
};
use atproto_oauth_sandbox::Sandbox;
use atproto_sansio::{KeyError, Keys, SecretKey, Signer, SystemEntropy};

use crate::sandbox::{ALICE, begin, confidential, confidential_with, log_in, loopback, who_am_i};

#[test]
fn a_session_of_another_client_is_refused_before_anything_is_sent() {
    // Rules C-05, K-16
    let (mine, other) = (loopback(), confidential());
    let mut sandbox = Sandbox::new(1);
    sandbox.publish_client(&other);
    let session = log_in(&mut sandbox, &mine, ALICE);
    let begun = begin(&mut sandbox, &mine, ALICE);
    let back = sandbox.approve(&begun.url, ALICE).unwrap();
    sandbox.clear_log();

    let refused = other.request(&session, who_am_i()).unwrap_err();
    assert_eq!(refused, Error::Session(SessionError::OtherClient));
    let failed = sandbox.run(other.refresh(session.clone())).unwrap_err();
    assert_eq!(failed.error, Error::Session(SessionError::OtherClient));
    assert_eq!(failed.effect, SessionEffect::Keep);
    let params = CallbackParams::parse(&back).unwrap();
    let failed = sandbox.run(other.callback(begun.pending, params)).unwrap_err();
    assert_eq!(failed.error, Error::Session(SessionError::OtherClient));
    assert_eq!(sandbox.log().len(), 0);

    // A logout runs under the `client_id` of the session.
    assert_eq!(sandbox.run(other.revoke(session)).unwrap(), Revocation::Revoked);
}

#[test]
fn a_dpop_key_that_is_a_client_key_is_refused_before_anything_is_sent() {
    // Rule E-21
    let key = ClientKey::new(P256Keys.generate(&mut SystemEntropy)).unwrap();
    let client = confidential_with([key.clone()]);
    let mut sandbox = Sandbox::new(1);
    sandbox.publish_client(&client);
    let session = log_in(&mut sandbox, &client, ALICE);
    let dpop_key = session.dpop_key().to_jwk().unwrap();
    let same = ClientKey::parse(dpop_key.expose(), &P256Keys).unwrap();
    let careless = confidential_with([key, same]);
    sandbox.clear_log();
    let failed = sandbox.run(careless.refresh(session)).unwrap_err();
    assert_eq!(failed.error, Error::Session(SessionError::SharedKey));
    assert_eq!(failed.effect, SessionEffect::Keep);
    assert_eq!(sandbox.log().len(), 0);
}

/// A key backend that neither imports nor exports keys.
struct Sealed;

struct SealedKey(Arc<dyn Signer>);

impl Keys for Sealed {
    fn generate(&self, entropy: &mut dyn atproto_sansio::Entropy) -> Arc<dyn Signer> {
        Arc::new(SealedKey(P256Keys.generate(entropy)))
    }

    fn import(&self, _: &SecretKey, _: Option<&[u8; 64]>) -> Result<Arc<dyn Signer>, KeyError> {
        Err(KeyError("this backend imports no keys"))
    }
}

impl Signer for SealedKey {
    fn public(&self) -> &[u8; 64] {
        self.0.public()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        self.0.sign(message)
    }

    fn export(&self) -> Option<SecretKey> {
        None
    }
}

#[test]
fn a_key_that_cannot_be_exported_signs_and_is_not_serialized() {
    // Rule E-24
    let key = DpopKey::generate(&Sealed, &mut SystemEntropy);
    assert!(key.to_jwk().is_none());
    assert!(serde_json::to_string(&key).is_err());
    assert!(ClientKey::new(Sealed.generate(&mut SystemEntropy)).is_ok());
}
