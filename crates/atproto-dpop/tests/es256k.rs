//! DPoP keys of secp256k1 that another client has made (RFC 8812).
#![cfg(feature = "es256k")]

use atproto_dpop::{DpopError, DpopKey, Jwk, P256Keys, PrivateKey, Proof};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

/// A key and two signatures that the JOSE library of the TypeScript client has made.
const JWK: &str = r#"{"kty":"EC","crv":"secp256k1",
    "x":"X5dTFWb4032MtqQziZtWcIcVBc9KSmb_UZyvRr80nlc",
    "y":"fEftxO6IQSjds_Z75m9c88d4aP9SxJTH80b-trZRG1Q",
    "d":"QpCidh42TKdwz5mE9ROHl8bbiZh0MoPXlgM-U0VHFf0"}"#;
const THUMBPRINT: &str = "v7vJK0fPIyhcwwxyqqXUmXy-qtbxrTdBw972HCNSBZY";
const MESSAGE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2SyJ9.eyJqdGkiOiJhIn0";
const LOW: &str =
    "IxDxFc10CfBztWtbVf8QTDmM3yt2Ez5T_uz4JMGh3gJongzm00DTPFSuU-9XC58EgdiqPPVvmPvKxCURydAM-g";
const HIGH: &str =
    "Ab1FBSinwLX4szfrwbjUdC9vgXQHe-GUkzteqaFqkYLa7egPARgqZUWehwe6StV8--_EC_2PC-lhKXDvwn_1TA";

fn key() -> DpopKey {
    DpopKey::from_jwk(JWK, &P256Keys).expect("the constant is a private key")
}

fn signature(text: &str) -> [u8; 64] {
    let bytes = Base64UrlUnpadded::decode_vec(text).expect("a signature is in base64url");
    bytes.try_into().expect("a signature has 64 bytes")
}

fn proof() -> Proof<'static> {
    let (htm, htu) = ("POST", "https://pds.example.com/oauth/token");
    Proof { jti: [7; 16], htm, htu, iat: 1_700_000_000, nonce: Some("nonce"), ath: None }
}

#[test]
fn signatures_of_another_implementation_verify_with_a_low_and_a_high_s() {
    // Rule E-09
    let jwk: Jwk = serde_json::from_str(JWK).unwrap();
    assert_eq!((jwk.thumbprint().as_str(), jwk.alg()), (THUMBPRINT, "ES256K"));
    for text in [LOW, HIGH] {
        let mut signature = signature(text);
        assert!(jwk.verify(MESSAGE.as_bytes(), &signature));
        assert!(!jwk.verify(b"another", &signature));
        signature[40] ^= 1;
        assert!(!jwk.verify(MESSAGE.as_bytes(), &signature));
    }
}

#[test]
fn a_proof_names_the_curve_and_the_algorithm_of_its_key() {
    // Rule E-01
    let key = key();
    let header = key.prove(&proof(), &P256Keys).unwrap();
    let (message, signed) = header.to_str().unwrap().rsplit_once('.').unwrap();
    let jose = Base64UrlUnpadded::decode_vec(message.split('.').next().unwrap()).unwrap();
    let jose: Value = serde_json::from_slice(&jose).unwrap();
    let all: Value = serde_json::from_str(JWK).unwrap();
    let public = json!({"kty": "EC", "crv": "secp256k1", "x": all["x"], "y": all["y"]});
    assert_eq!(jose, json!({"typ": "dpop+jwt", "alg": "ES256K", "jwk": public}));
    assert!(key.jwk().verify(message.as_bytes(), &signature(signed)));
}

#[test]
fn a_key_is_read_as_it_was_written() {
    let key = key();
    assert_eq!(key.thumbprint(), THUMBPRINT);
    let written = key.to_jwk().unwrap();
    let all: Value = serde_json::from_str(JWK).unwrap();
    assert_eq!(serde_json::from_str::<Value>(written.expose()).unwrap(), all);
    let stored = serde_json::to_string(&key).unwrap();
    assert_eq!(stored, written.expose());
    let again: DpopKey = serde_json::from_str(&stored).unwrap();
    for read in [&again, &DpopKey::from_jwk(&stored, &P256Keys).unwrap()] {
        assert_eq!(read.jwk(), key.jwk());
        assert_eq!(
            read.prove(&proof(), &P256Keys).unwrap(),
            key.prove(&proof(), &P256Keys).unwrap()
        );
    }
    let public = serde_json::to_string(key.jwk()).unwrap();
    assert_eq!(public, key.jwk().to_json());
    assert_eq!(serde_json::from_str::<Jwk>(&public).unwrap(), *key.jwk());
}

#[test]
fn a_key_for_another_use_or_with_parts_of_another_key_is_refused() {
    let refusal = |json: &str| DpopKey::from_jwk(json, &P256Keys).unwrap_err().to_string();
    let with = |members: &str| JWK.replacen('{', &format!("{{{members},"), 1);
    assert!(DpopKey::from_jwk(&with(r#""alg":"ES256K","use":"sig""#), &P256Keys).is_ok());
    for (json, what) in [
        (with(r#""alg":"ES256""#), "ES256K, not ES256"),
        (with(r#""use":"enc""#), "sig, not enc"),
        (JWK.replace("QpCi", "QpCj"), "is not the private key"),
        (JWK.replace("X5dT", "X5dU"), "not a point on the curve secp256k1"),
        (JWK.replace("secp256k1", "P-256"), "not a point on the curve P-256"),
    ] {
        let told = refusal(&json);
        assert!(told.contains(what) && !told.contains("QpC"), "{told}");
    }
    // A stored key whose scalar is of another key never signs.
    let mixed: DpopKey = serde_json::from_str(&JWK.replace("QpCi", "QpCj")).unwrap();
    assert!(matches!(mixed.prove(&proof(), &P256Keys), Err(DpopError::Key(_))));
}

#[test]
fn a_key_for_client_assertions_is_never_of_secp256k1() {
    // Rule F-14
    let told = PrivateKey::parse(JWK).unwrap_err().to_string();
    assert!(told.contains("must be P-256") && !told.contains("QpC"), "{told}");
}

#[test]
fn a_proof_is_written_into_one_buffer() {
    let key = key();
    key.prove(&proof(), &P256Keys).unwrap();
    let counted = allocation_counter::measure(|| drop(key.prove(&proof(), &P256Keys).unwrap()));
    assert_eq!(counted.count_total, 1);
}
