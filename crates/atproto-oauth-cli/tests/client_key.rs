//! Tests of private keys that are encrypted with a passphrase, with the built command.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// A key of `crates/atproto-dpop/tests/encrypted_keys`.
const ENCRYPTED: &str = include_str!("../../atproto-dpop/tests/encrypted_keys/default.pem");
const LEGACY: &str = include_str!("../../atproto-dpop/tests/encrypted_keys/legacy.pem");
const PLAIN: &str = include_str!("../../atproto-dpop/tests/encrypted_keys/plain.pem");
const PASSPHRASE: &str = "correct-horse";
const VARIABLE: &str = "ATPROTO_OAUTH_CLIENT_KEY_PASSPHRASE";

/// Runs the command in `folder`, with the passphrase in the environment. Returns the exit code and all output.
fn run(folder: &Path, passphrase: Option<&str>, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atproto-oauth"));
    command.current_dir(folder).args(arguments).env("ATPROTO_OAUTH_CONFIG", "");
    match passphrase {
        Some(passphrase) => command.env(VARIABLE, passphrase),
        None => command.env_remove(VARIABLE),
    };
    let output = command.output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), text)
}

#[test]
fn the_documents_of_an_encrypted_key_are_written_with_its_passphrase() {
    // Rules F-14, L-10
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(
        folder.join("client.toml"),
        "client_id = \"https://app.example.com/c.json\"\nredirect_uri = \"https://app.example.com/cb\"\n\
         scope = \"atproto\"\nclient_name = \"An app\"\nprivate_key_path = \"key.pem\"\n",
    )
    .unwrap();
    fs::write(folder.join("passphrase"), format!("{PASSPHRASE}\r\n")).unwrap();
    fs::write(folder.join("key.pem"), PLAIN).unwrap();
    let documents = ["generate-metadata", "--config", "client.toml", "--json"];
    let with_file = [&documents[..], &["--client-key-passphrase", "passphrase"]].concat();
    let published = |(code, text): (Option<i32>, String)| {
        assert_eq!(code, Some(0), "{text}");
        let json: Value = serde_json::from_str(&text).unwrap();
        json["wrote"][1]["document"].clone()
    };
    // A passphrase that no key needs is no mistake.
    let plain = published(run(folder, Some(PASSPHRASE), &documents));
    assert_eq!(plain["keys"].as_array().unwrap().len(), 1);

    fs::write(folder.join("key.pem"), ENCRYPTED).unwrap();
    assert_eq!(published(run(folder, Some(PASSPHRASE), &documents)), plain);
    // The file of the option goes before the environment.
    assert_eq!(published(run(folder, Some("wrong"), &with_file)), plain);
    let (code, told) = run(folder, None, &documents);
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains(VARIABLE) && told.contains("--client-key-passphrase"), "{told}");
    let (code, told) = run(folder, Some("hunter2"), &documents);
    assert!(code == Some(3) && told.contains("passphrase does not decrypt"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    fs::remove_file(folder.join("passphrase")).unwrap();
    let (code, told) = run(folder, Some(PASSPHRASE), &with_file);
    assert!(code == Some(3) && told.contains("can't access the passphrase"), "{told}");

    fs::write(folder.join("key.pem"), LEGACY).unwrap();
    let (code, told) = run(folder, Some(PASSPHRASE), &documents);
    assert!(code == Some(3) && told.contains("openssl pkcs8 -topk8"), "{told}");
}

#[test]
fn the_key_of_a_stored_session_may_be_encrypted() {
    // Rule F-14
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("key.pem"), ENCRYPTED).unwrap();
    let dpop: Value = json!({
        "kty": "EC", "crv": "P-256", "d": "MGGjxc7a-fgtdCq1LKxz_hI8YJc6cqXQT5PmDe6faxg",
        "x": "da3LsoT1KGwCVPKJqeJdmdimpGz5bbXA9P4FNp9Z3UY",
        "y": "_MCqoHrhOc396Vs78T5FMOPFG7wOWWmOOmimQFjRTlc",
    });
    let session = json!({"dpop_key": dpop, "token_set": {
        "iss": "http://127.0.0.1:1", "sub": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "aud": "http://127.0.0.1:1",
        "scope": "atproto", "access_token": "a", "refresh_token": "r", "token_type": "DPoP",
    }});
    fs::write(folder.join("session.json"), session.to_string()).unwrap();
    let import = [
        "sessions",
        "import",
        "session.json",
        "--client-id",
        "https://app.example.com/c.json",
        "--client-key",
        "key.pem",
        "--sessions",
        "sessions",
        "--development",
        "--plc-directory",
        "http://127.0.0.1:1",
    ];
    let (code, told) = run(folder, None, &import);
    assert!(code == Some(3) && told.contains("key.pem: the private key is encrypted"), "{told}");
    let (code, told) = run(folder, Some("wrong"), &import);
    assert!(code == Some(3) && told.contains("key.pem: the passphrase does not"), "{told}");
    let help = |(_, told): (Option<i32>, String)| told.lines().last().unwrap().to_owned();
    let places = "passphrase in the environment variable ATPROTO_OAUTH_CLIENT_KEY_PASSPHRASE, or in a file with \
                  --client-key-passphrase";
    assert_eq!(help(run(folder, None, &import)), format!("help: give its {places}"));
    assert_eq!(help(run(folder, Some("wrong"), &import)), format!("help: give the right {places}"));
    let no_file = [&import[..], &["--client-key-passphrase", "none"]].concat();
    assert!(help(run(folder, None, &no_file)).contains("check the path"));
    // The key is read, so the next step fails: no directory is there.
    let (code, told) = run(folder, Some(PASSPHRASE), &import);
    assert!(code == Some(7) && told.contains("127.0.0.1:1"), "{code:?} {told}");
}
