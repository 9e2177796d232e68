//! Tests of sessions that other client libraries have stored.

use atproto_dpop::P256Keys;
use atproto_sansio::Entropy;
use serde_json::json;

use super::*;

struct Fixed;

impl Entropy for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

const DID: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";

fn jwk() -> Value {
    let key = DpopKey::generate(&P256Keys, &mut Fixed);
    serde_json::from_str(key.to_jwk().unwrap().expose()).unwrap()
}

fn typescript() -> Value {
    json!({
        "dpopJwk": jwk(),
        "authMethod": {"method": "none"},
        "tokenSet": {
            "iss": "https://auth.example.com", "sub": DID, "aud": "https://pds.example.com/",
            "scope": "atproto", "refresh_token": "ref-1", "access_token": "acc-1",
            "token_type": "DPoP", "expires_at": "2026-01-01T00:00:00.000Z",
        },
    })
}

fn others() -> [Value; 3] {
    let token_set = json!({
        "iss": "https://auth.example.com", "sub": DID, "aud": "https://pds.example.com",
        "scope": "atproto", "refresh_token": "ref-1", "access_token": "acc-1", "token_type": "DPoP",
    });
    [
        json!({"dpop_key": jwk(), "token_set": token_set}),
        json!({
            "account_did": DID, "session_id": "s", "host_url": "https://pds.example.com",
            "authserver_url": "https://auth.example.com", "scopes": ["atproto"],
            "dpop_data": {"dpop_key": jwk(), "dpop_authserver_nonce": ""}, "token_set": token_set,
        }),
        json!({
            "did": DID, "handle": "alice.example.com", "pds_url": "https://pds.example.com",
            "auth_server_issuer": "https://auth.example.com", "access_token": "acc-1",
            "refresh_token": "ref-1", "dpop_private_key_pem": jwk().to_string(), "expires_at": 1,
            "scope": "atproto",
        }),
    ]
}

fn one(value: &Value) -> Credentials {
    let mut read = Credentials::from_foreign(&value.to_string(), &P256Keys).unwrap();
    assert_eq!(read.len(), 1);
    read.remove(0).unwrap()
}

#[test]
fn sessions_of_other_libraries_are_read() {
    let expected = DpopKey::generate(&P256Keys, &mut Fixed);
    for stored in others().into_iter().chain([typescript()]) {
        let read = one(&stored);
        assert_eq!(read.did.as_str(), DID);
        assert_eq!(read.pds.as_str(), "https://pds.example.com");
        assert_eq!(read.refresh_token.expose(), "ref-1");
        assert_eq!(read.dpop_key.jwk(), expected.jwk());
    }
}

#[test]
fn sessions_are_found_in_lists_maps_and_texts() {
    let session = typescript();
    for stored in [
        json!([session]),
        json!({ DID: session }),
        json!({ DID: session.to_string() }),
        json!({ "sessions": [{ "key": DID, "value": session.to_string() }] }),
        json!({ DID: session, "state": {"iss": "x", "verifier": "y"} }),
    ] {
        assert_eq!(one(&stored).did.as_str(), DID);
    }
    // A session whose key can't be used does not keep the others from being read.
    let mut broken = typescript();
    broken["dpopJwk"]["crv"] = json!("P-384");
    let all = json!([session, broken, others()[0]]).to_string();
    let all = Credentials::from_foreign(&all, &P256Keys).unwrap();
    assert_eq!(all.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}

/// The session with a key of secp256k1, in the form of the TypeScript client.
fn with_secp256k1() -> Value {
    let mut session = typescript();
    // The generator of the curve is the public key of the private key one.
    session["dpopJwk"] = json!({
        "kty": "EC", "crv": "secp256k1",
        "x": "eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g",
        "y": "SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg",
        "d": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE",
    });
    session
}

#[cfg(feature = "es256k")]
#[test]
fn a_session_with_the_preferred_key_of_the_typescript_client_is_read() {
    let stored = with_secp256k1();
    let read = one(&stored);
    let written = read.dpop_key.to_jwk().unwrap();
    assert_eq!(serde_json::from_str::<Value>(written.expose()).unwrap(), stored["dpopJwk"]);
}

#[cfg(not(feature = "es256k"))]
#[test]
fn without_the_feature_es256k_a_session_with_such_a_key_is_refused_with_the_way_out() {
    let stored = json!([with_secp256k1(), typescript()]).to_string();
    let read = Credentials::from_foreign(&stored, &P256Keys).unwrap();
    let Err(ForeignError::Key { error, .. }) = &read[0] else { panic!("{:?}", read[0]) };
    assert_eq!(*error, DpopError::Es256kDisabled);
    let told = read[0].as_ref().unwrap_err().to_string();
    assert!(told.contains("feature `es256k`") && !told.contains("AAAA"), "{told}");
    assert!(read[1].is_ok());
}

#[test]
fn an_error_names_the_member_and_no_secret() {
    let read = |stored: &Value| Credentials::from_foreign(&stored.to_string(), &P256Keys);
    let error = |stored: &Value| read(stored).unwrap().remove(0).unwrap_err().to_string();
    let whole = |stored: &Value| read(stored).unwrap_err().to_string();
    let mut session = typescript();
    session["tokenSet"]["refresh_token"] = Value::Null;
    let told =
        format!("the session of {DID} from the TypeScript client has no usable `refresh_token`");
    assert_eq!(error(&session), told);
    session["tokenSet"]["sub"] = Value::Null;
    assert!(error(&session).contains("of an unknown account"));
    let mut session = typescript();
    session["dpopJwk"]["d"] = json!("hunter2");
    let told = error(&session);
    assert!(told.contains("DPoP key") && !told.contains("hunter2"), "{told}");
    let mut session = others()[2].clone();
    session["encrypted"] = json!(true);
    assert_eq!(error(&session), format!("the session of {DID} is encrypted"));
    // A row of the table is encrypted, too, although it does not say so.
    let mut row = others()[2].clone();
    row["dpop_private_key_pem"] = json!("AAAAhunter2");
    let told = error(&row);
    assert!(told.contains("is encrypted") && !told.contains("hunter2"), "{told}");
    assert!(whole(&json!({"a": [1, "x"]})).contains("in a form that is known"));
    assert!(Credentials::from_foreign("hunter2", &P256Keys).unwrap_err() == ForeignError::Json);
    // Nesting without end is no session.
    let mut deep = typescript();
    for _ in 0..20 {
        deep = json!([deep]);
    }
    assert!(whole(&deep).contains("in a form that is known"));
}

#[test]
fn encrypted_sessions_are_read_wherever_they_are() {
    let decrypt = |text: &str| text.strip_prefix("sealed ").map(SecretString::new);
    let plain = others()[2].clone();
    let mut sealed = plain.clone();
    for name in ["access_token", "refresh_token", "dpop_private_key_pem"] {
        sealed[name] = json!(format!("sealed {}", plain[name].as_str().unwrap()));
    }
    let mut other = sealed.clone();
    other["refresh_token"] = json!("hunter2");
    // An older session is plain, also with space in front of its key.
    let mut spaced = plain.clone();
    spaced["dpop_private_key_pem"] =
        json!(format!("\n {}", plain["dpop_private_key_pem"].as_str().unwrap()));
    let all = json!([sealed, { "a": sealed.to_string() }, other, plain, spaced]).to_string();
    let read = Credentials::from_foreign_encrypted(&all, &P256Keys, &decrypt).unwrap();
    let tokens: Vec<_> = read
        .iter()
        .map(|read| read.as_ref().map(|read| read.refresh_token.expose().to_owned()))
        .collect();
    let did: Did = DID.parse().unwrap();
    let undecryptable = ForeignError::Undecryptable { did: did.clone(), member: "refresh_token" };
    let token = || Ok("ref-1".to_owned());
    assert_eq!(tokens, [token(), token(), Err(&undecryptable), token(), token()]);
    let told = undecryptable.to_string();
    assert!(told.contains(DID) && !told.contains("hunter2"), "{told}");
    let read = Credentials::from_foreign(&all, &P256Keys).unwrap();
    assert_eq!(
        read.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [false, false, false, true, true]
    );
    assert_eq!(read[1].as_ref().unwrap_err().did(), Some(&did));
}
