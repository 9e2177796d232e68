//! Private keys in PEM and JWK, and what key services return.

use atproto_dpop::{DpopKey, Jwk, P256Keys, PrivateKey, signature_from_der};
use atproto_oauth_core::ClientKey;

use crate::parsers::text;

/// A key is read by all parsers alike, and its export is read as the same key. Only a DPoP key may be of
/// secp256k1.
pub(crate) fn key_import(data: &[u8]) -> bool {
    let text = text(data);
    let client = ClientKey::parse(&text, &P256Keys);
    let session = DpopKey::from_jwk(&text, &P256Keys);
    if let Ok(key) = &session {
        let jwk = key.to_jwk().expect("P256Keys exports its keys");
        let again = DpopKey::from_jwk(jwk.expose(), &P256Keys).expect("an export can be read");
        assert_eq!(again.thumbprint(), key.thumbprint());
        let stored = serde_json::to_string(key).expect("P256Keys exports its keys");
        let again: DpopKey = serde_json::from_str(&stored).expect("a stored key is read");
        assert_eq!(again.thumbprint(), key.thumbprint());
    }
    let Ok(key) = client else { return session.is_ok() || of_service(&text, data) };
    assert_eq!(key.jwk().alg(), "ES256");
    assert!(PrivateKey::parse(&text).is_ok());
    if let Ok(session) = &session {
        assert_eq!(key.jwk(), session.jwk(), "both parsers read the same key");
    }
    let jwk = key.to_jwk().expect("P256Keys exports its keys");
    let again = ClientKey::parse(jwk.expose(), &P256Keys).expect("an export can be read");
    assert_eq!((again.kid(), again.jwk()), (key.kid(), key.jwk()));
    true
}

/// A public key that is read has a point on the curve, and a signature has no part that is zero.
fn of_service(text: &str, data: &[u8]) -> bool {
    let signature = signature_from_der(data);
    if let Ok(signature) = signature {
        let (r, s) = signature.split_at(32);
        assert!(r != [0; 32] && s != [0; 32]);
    }
    let public = Jwk::from_public_pem(text).or_else(|_| Jwk::from_public_der(data));
    if let Ok(public) = &public {
        assert_eq!(Jwk::new(*public.point()).as_ref(), Ok(public));
    }
    signature.is_ok() || public.is_ok()
}
