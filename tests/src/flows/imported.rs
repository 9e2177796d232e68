//! Sessions and credentials that another client has made, and that the command uses further.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use atproto_dpop::{Dpop, DpopKey, P256Keys};
use atproto_oauth_core::{Client, Error};
use atproto_sansio::{Answer, Body, Endpoint, Entropy, Fresh, How, Reach, SystemEntropy};
use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::flows::command::Command;
use crate::flows::two_phase::{Desk, WHO, values};
use crate::flows::{Account, CALLBACK, Plain, Seen, Stage, Transport};

/// Imports the stored sessions of another client, in which `account` is logged in, and uses, refreshes
/// and revokes the session.
pub fn a_session_of_another_client_is_used(
    command: &Command<'_>,
    account: &Account,
    stored: &str,
    client_id: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let (file, sessions) = (folder.path().join("stored.json"), folder.path().join("sessions"));
    fs::write(&file, stored).unwrap();
    let import = ["sessions", "import", file.to_str().unwrap(), "--client-id", client_id];
    let (code, told) = command.run(&sessions, &import);
    assert!(code == Some(0) && told.contains(" is stored."), "{told}");
    let is_theirs = || {
        let (code, told) = command.call(&sessions, &[WHO]);
        let answer: Value = serde_json::from_str(&told).unwrap_or_default();
        assert!(code == Some(0) && answer["did"] == account.did.as_str(), "{told}");
    };
    is_theirs();

    command.stage.clear_log();
    let (code, told) = command.run(&sessions, &["sessions", "refresh"]);
    assert!(code == Some(0) && told.contains("valid for"), "{told}");
    let log = command.stage.log(&account.issuer);
    let is_refresh = |seen: &&Seen| seen.path == "/oauth/token" && seen.status == Some(200);
    let refresh = log.iter().find(is_refresh).unwrap_or_else(|| panic!("{log:?}"));
    let json: Value = serde_json::from_str(stored).unwrap();
    let curve = &json[&account.did]["dpopJwk"]["crv"];
    let alg = if curve == "secp256k1" { "ES256K" } else { "ES256" };
    let proof = refresh.proof.as_ref().unwrap();
    assert_eq!((&proof.header["alg"], &proof.header["jwk"]["crv"]), (&alg.into(), curve));
    assert!(refresh.proof_is_signed);
    is_theirs();

    let (code, told) = command.run(&sessions, &["sessions", "revoke"]);
    assert!(code == Some(0) && told.starts_with("Logged out of "), "{told}");
}

/// Logs in with a DPoP key of secp256k1, and uses the session as the stored one of another client.
pub fn a_session_with_a_key_of_secp256k1_is_used(command: &Command<'_>) {
    for name in ["alice", "rita"] {
        let (account, client) = (command.stage.account(name), command.stage.loopback());
        let stored = log_in_with_secp256k1(command.stage, &account, &client);
        a_session_of_another_client_is_used(command, &account, &stored, client.client_id());
    }
}

/// Returns the session in the form of the TypeScript client. New keys of this project are never of
/// secp256k1, so that the requests of the login are made here.
fn log_in_with_secp256k1(stage: &dyn Stage, account: &Account, client: &Client) -> String {
    const JWK: &str = r#"{"crv":"secp256k1","d":"QpCidh42TKdwz5mE9ROHl8bbiZh0MoPXlgM-U0VHFf0","kty":"EC",
        "x":"X5dTFWb4032MtqQziZtWcIcVBc9KSmb_UZyvRr80nlc","y":"fEftxO6IQSjds_Z75m9c88d4aP9SxJTH80b-trZRG1Q"}"#;
    let mut random = [0; 32];
    SystemEntropy.fill(&mut random);
    let verifier = Base64UrlUnpadded::encode_string(&random);
    let challenge = Base64UrlUnpadded::encode_string(&Sha256::digest(&verifier));
    let key = DpopKey::from_jwk(JWK, &P256Keys).unwrap();
    let issuer = &account.issuer;
    let send = |path: &str, fields: &[(&str, &str)]| -> Value {
        let mut form = Serializer::new(String::new());
        form.append_pair("client_id", client.client_id()).extend_pairs(fields);
        let form = Form { url: format!("{issuer}{path}"), fields: form.finish() };
        let reply = Plain::new().run(Dpop::new(form, &key)).unwrap();
        serde_json::from_slice(reply.output.body()).unwrap()
    };
    let pushed = send(
        "/oauth/par",
        &[
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", "atproto transition:generic"),
            ("state", "a-state-of-this-login"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ],
    );
    let request = [
        ("client_id", client.client_id()),
        ("request_uri", pushed["request_uri"].as_str().unwrap()),
    ];
    let url = Url::parse_with_params(&format!("{issuer}/oauth/authorize"), request).unwrap();
    let back: Url = stage.approve(&url, &account.handle).parse().unwrap();
    let (_, code) = back.query_pairs().find(|(name, _)| name == "code").unwrap();
    let tokens = send(
        "/oauth/token",
        &[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", &verifier),
        ],
    );
    let jwk: Value = serde_json::from_str(JWK).unwrap();
    let mut set = tokens.clone();
    set["iss"] = issuer.as_str().into();
    set["aud"] = account.pds.as_str().into();
    json!({ &account.did: {"dpopJwk": jwk, "tokenSet": set} }).to_string()
}

/// A form that is posted to an authorization server.
struct Form {
    url: String,
    fields: String,
}

impl Endpoint for Form {
    type Output = Response<Bytes>;
    type Error = Error;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, Error> {
        let request = Request::post(&self.url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::Bytes(self.fields.clone().into()));
        Ok(request.unwrap())
    }

    fn how(&self) -> How {
        let (timeout, answer) = (Duration::from_secs(10), Answer::Buffered(64 * 1024));
        let reach = Reach::Development;
        How { timeout, answer, reach, start_by: None, least_time: Duration::ZERO }
    }

    fn response(&self, response: Response<Bytes>) -> Result<Response<Bytes>, Error> {
        Ok(response)
    }
}

/// Uses the lines `NAME=VALUE` that another client has printed as credentials in the environment.
pub fn credentials_of_another_client_are_used(desk: &Desk<'_>, printed: &str, account: &Account) {
    let names = ["REFRESH_TOKEN", "DPOP_PRIVATE_JWK", "PDS_ISSUER", "DID"]
        .map(|name| format!("ATPROTO_OAUTH_{name}"));
    let mut credentials: BTreeMap<String, String> = printed
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| names.iter().any(|wanted| wanted == name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(credentials.len(), names.len(), "{:?}", credentials.keys());
    credentials.insert("ATPROTO_OAUTH_CLIENT_ID".to_owned(), desk.client_id().to_owned());

    for _ in 0..2 {
        let refresh = ["credentials", "refresh", "--format", "json"];
        let ended = desk.run_with(&refresh, &credentials, "");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let next = values(&ended.out);
        assert_ne!(next[&names[0]], credentials[&names[0]]);
        assert_eq!(next[&names[3]], account.did);
        credentials = next;
    }
    let ended = desk.run_with(&["credentials", "call", WHO, "--format", "json"], &credentials, "");
    assert!(ended.code == Some(0) && ended.out.contains(&account.handle), "{ended:?}");
}
