//! The command, from one end to the other: its process, the browser's way back, its file.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::network::Network;

/// The command lies beside the folder of this test program.
fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().unwrap().parent().unwrap().join("atproto-oauth")
}

fn command(network: &Network, session: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).arg("--session").arg(session).arg("--development").args([
        "--plc-directory",
        &network.text("/plc"),
        "--nameserver",
        &network.text("/dns"),
    ]);
    command
}

/// Runs `login`, and does in the browser's place what `browse` does with the URL. Gives the exit
/// code, what was printed, and the page.
fn log_in(
    network: &Network,
    session: &Path,
    browse: impl FnOnce(&str) -> String,
) -> (Option<i32>, String, String) {
    let mut login = command(network, session, &["login", "alice.test", "--no-browser"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(login.stderr.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.find(|line| line.starts_with("http")).unwrap();
    let callback = browse(&url);
    let page = ureq::get(&callback).config().http_status_as_error(false).build().call().unwrap();
    let page = page.into_body().read_to_string().unwrap();
    let mut printed = String::new();
    login.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    printed.extend(lines);
    (login.wait().unwrap().code(), printed, page)
}

fn call(network: &Network, session: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let arguments: Vec<_> = ["call"].iter().chain(arguments).copied().collect();
    let output = command(network, session, &arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn the_command_logs_in_and_calls() {
    let network = Network::get();
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("kept/session.json");
    let (code, printed, page) =
        log_in(&network, &session, |url| network.approve(url, "alice.test"));
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("Logged in as alice.test"), "{printed}");
    assert!(page.contains("You are logged in as alice.test"), "{page}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&session), mode(session.parent().unwrap())), (0o600, 0o700));
    }

    let (code, answer) = call(&network, &session, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(0), "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["did"], network.did("alice.test"));

    let repo = format!("repo={}", network.did("alice.test"));
    let record = r#"record:={"$type":"com.example.note","text":"from the command"}"#;
    let write = ["com.atproto.repo.createRecord", &repo, "collection=com.example.note", record];
    let (code, answer) = call(&network, &session, &write);
    assert_eq!(code, Some(0), "{answer}");

    let (code, answer) = call(&network, &session, &["com.atproto.server.getSession", "x"]);
    assert_eq!(code, Some(2), "{answer}");
    let (code, answer) = call(&network, &session, &["no-nsid"]);
    assert_eq!(code, Some(2), "{answer}");
    let (code, answer) = call(&network, &session, &["com.atproto.repo.getRecord"]);
    assert_eq!(code, Some(1), "{answer}");
    let (code, answer) = call(&network, &folder.path().join("none"), &["a.b.getC"]);
    assert_eq!(code, Some(6), "{answer}");
}

#[test]
fn a_token_that_has_expired_is_refreshed_and_kept() {
    let network = Network::get();
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("session.json");
    network.ask("/knobs", &serde_json::json!({"pds": "a", "access_token_ms": 2000}));
    let (code, printed, _) = log_in(&network, &session, |url| network.approve(url, "alice.test"));
    network.ask("/knobs", &serde_json::json!({"pds": "a", "access_token_ms": 3_600_000}));
    assert_eq!(code, Some(0), "{printed}");
    let before = std::fs::read_to_string(&session).unwrap();

    let (code, answer) = call(&network, &session, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(0), "{answer}");
    let after = std::fs::read_to_string(&session).unwrap();
    let token = |json: &str| serde_json::from_str::<Value>(json).unwrap()["refresh_token"].clone();
    assert_ne!(token(&before), token(&after), "the new session is in the file");
    let (code, answer) = call(&network, &session, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(0), "{answer}");
}

#[test]
fn a_denied_login_has_its_own_exit_code() {
    let network = Network::get();
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("session.json");
    let (code, printed, page) = log_in(&network, &session, |url| network.deny(url));
    assert_eq!(code, Some(5), "{printed}");
    assert!(page.contains("Not logged in") && page.contains("access_denied"), "{page}");
    assert!(!session.exists());
}
