//! The program in a network on loopback sockets: a login, runs without one, and the end of a session.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use atproto_oauth_sandbox::Served;
use tempfile::TempDir;
use url::Url;

const ALICE: &str = "alice.test";

/// A run of the program, with the URL that it asks its user to open.
struct Run(Child);

fn start(network: &Served, folder: &Path, file: &str) -> Run {
    let names = network.names();
    let program = Command::new(env!("CARGO_BIN_EXE_blocking-tool"))
        .args([ALICE, file])
        .current_dir(folder)
        .env("DATA", "data")
        .env("PLC_DIRECTORY", &names.plc)
        .env("DNS_OVER_HTTPS", format!("{}/dns-query", names.doh))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Run(program.unwrap())
}

impl Run {
    /// Logs in as the user, whose browser then shows a page of the program.
    fn log_in(&mut self, network: &Served) -> String {
        let printed = BufReader::new(self.0.stderr.as_mut().unwrap()).lines();
        let url = printed.map(Result::unwrap).find(|line| line.starts_with("http")).unwrap();
        let callback = network.sandbox().approve(&url.parse().unwrap(), ALICE).unwrap();
        // Neither another page of the browser nor the callback of another login ends the wait.
        let mut other: Url = callback.parse().unwrap();
        other.set_query(Some("state=another&iss=http%3A%2F%2Flocalhost&code=c"));
        assert_eq!(ureq::get(other.as_str()).call().unwrap_err().to_string(), "http status: 400");
        other.set_path("/favicon.ico");
        other.set_query(None);
        assert_eq!(ureq::get(other.as_str()).call().unwrap_err().to_string(), "http status: 404");
        ureq::get(&callback).call().unwrap().body_mut().read_to_string().unwrap()
    }

    /// Waits for the end, and returns the printed reference of the blob, or the error.
    fn end(self) -> Result<String, String> {
        let ended = self.0.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if ended.status.success() { Ok(text(ended.stdout)) } else { Err(text(ended.stderr)) }
    }
}

/// Number of login pages that were prepared so far.
fn logins(network: &Served) -> usize {
    network.sandbox().requests().filter(|request| request.path() == "/oauth/par").count()
}

fn folder_with_file() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hello.txt"), "hello\n").unwrap();
    folder
}

#[test]
fn a_file_is_uploaded_and_the_next_one_without_a_login() {
    let (network, folder) = (Served::start(1).unwrap(), folder_with_file());
    let mut run = start(&network, folder.path(), "hello.txt");
    assert!(run.log_in(&network).contains("Logged in"));
    let blob = run.end().unwrap();
    assert!(blob.contains("\"$type\": \"blob\"") && blob.contains("\"size\": 6"), "{blob}");

    let before = logins(&network);
    let again = start(&network, folder.path(), "hello.txt").end().unwrap();
    assert_eq!((again, logins(&network)), (blob, before));
}

#[test]
fn a_session_that_has_ended_leads_to_a_new_login() {
    let (network, folder) = (Served::start(1).unwrap(), folder_with_file());
    let pds = network.names().pds.clone();
    let pds = network.sandbox().find_server(&pds).unwrap();
    // The token of the first session is renewed by each later run.
    network.sandbox().set_access_token_lifetime(pds, std::time::Duration::from_secs(1));
    let mut run = start(&network, folder.path(), "hello.txt");
    run.log_in(&network);
    let blob = run.end().unwrap();

    network.sandbox().end_sessions(ALICE);
    let mut run = start(&network, folder.path(), "hello.txt");
    run.log_in(&network);
    assert_eq!(run.end().unwrap(), blob);
    assert_eq!(network.sandbox().sessions(pds), 1);
}

#[test]
fn a_file_that_is_missing_is_an_error() {
    let (network, folder) = (Served::start(1).unwrap(), folder_with_file());
    let mut run = start(&network, folder.path(), "missing.txt");
    run.log_in(&network);
    let error = run.end().unwrap_err();
    assert!(error.contains("the body can't be opened"), "{error}");
}
