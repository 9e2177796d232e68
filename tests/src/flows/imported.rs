//! Sessions and credentials that another client has made, and that the command uses further.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::flows::command::Command;
use crate::flows::two_phase::{Desk, WHO, values};
use crate::flows::{Account, Seen};

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
    let is_refresh = |seen: &Seen| seen.path == "/oauth/token" && seen.status == Some(200);
    assert!(log.iter().any(is_refresh), "{log:?}");
    is_theirs();

    let (code, told) = command.run(&sessions, &["sessions", "revoke"]);
    assert!(code == Some(0) && told.starts_with("Logged out of "), "{told}");
}

/// A session whose DPoP key is not of P-256 is refused before anything is sent. The message names the
/// curve, and contains no secret.
pub fn a_session_with_another_curve_is_refused(
    command: &Command<'_>,
    account: &Account,
    stored: &str,
    client_id: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let (file, sessions) = (folder.path().join("stored.json"), folder.path().join("sessions"));
    fs::write(&file, stored).unwrap();
    command.stage.clear_log();
    let import = ["sessions", "import", file.to_str().unwrap(), "--client-id", client_id];
    let (code, told) = command.run(&sessions, &import);
    assert!(code == Some(3) && told.contains("secp256k1"), "{code:?} {told}");
    let json: Value = serde_json::from_str(stored).unwrap();
    let session = &json[&account.did];
    for secret in ["/tokenSet/refresh_token", "/tokenSet/access_token", "/dpopJwk/d"] {
        assert!(!told.contains(session.pointer(secret).unwrap().as_str().unwrap()), "{told}");
    }
    let log = command.stage.log(&account.issuer);
    assert!(log.iter().all(|seen| seen.path != "/oauth/token"), "{log:?}");
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
