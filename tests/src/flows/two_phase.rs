//! The command in several processes: `init` begins a login, `complete` finishes it, and
//! `credentials` uses what `complete` has printed.

use std::collections::BTreeMap;
use std::fs::{self, read_to_string};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use atproto_oauth_core::{Client, Scopes};
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use crate::flows::Seen;
use crate::flows::command::Command;

/// Client of a static web site.
const CLIENT_ID: &str = "https://app.client.dev/two-phase.json";
const REDIRECT_URI: &str = "https://app.client.dev/callback.html";

/// Loopback client whose redirect URI has no port, so that it may have any.
const LOOPBACK_ID: &str = "http://localhost?redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback\
                           &scope=atproto+transition%3Ageneric";
const LOOPBACK_URI: &str = "http://127.0.0.1:7777/callback";

pub(crate) const WHO: &str = "com.atproto.server.getSession";

/// Result of a process.
#[derive(Debug)]
pub struct Ended {
    /// Exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub told: String,
}

/// A working folder, and a client that the servers know.
pub struct Desk<'a> {
    command: &'a Command<'a>,
    /// Working folder of each process.
    pub folder: TempDir,
    client_id: &'static str,
    redirect_uri: &'static str,
}

impl<'a> Desk<'a> {
    /// Publishes a public web client.
    pub fn web(command: &'a Command<'a>) -> Self {
        let scopes = Scopes::parse("atproto transition:generic").unwrap();
        let client = Client::web(CLIENT_ID, scopes).redirect_uri(REDIRECT_URI);
        command.stage.publish(&command.stage.configure(client).build().unwrap());
        Self::new(command, CLIENT_ID, REDIRECT_URI)
    }

    /// A loopback client.
    pub fn loopback(command: &'a Command<'a>) -> Self {
        Self::new(command, LOOPBACK_ID, LOOPBACK_URI)
    }

    fn new(command: &'a Command<'a>, client_id: &'static str, redirect_uri: &'static str) -> Self {
        Self { command, folder: tempfile::tempdir().unwrap(), client_id, redirect_uri }
    }

    /// The id of the client.
    pub fn client_id(&self) -> &'static str {
        self.client_id
    }

    /// The redirect URI of the client.
    pub fn redirect_uri(&self) -> &'static str {
        self.redirect_uri
    }

    /// Path in the working folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The state file.
    pub fn state(&self) -> PathBuf {
        self.path(".atproto-oauth-state.json")
    }

    /// The command in the working folder, with a clean environment.
    pub fn process(&self, arguments: &[&str]) -> process::Command {
        let mut process = self.command.process(arguments);
        process.env_clear().current_dir(self.folder.path());
        process
    }

    /// Runs the command.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &BTreeMap::new(), "")
    }

    /// Runs the command with these variables and this text on standard input.
    pub fn run_with(
        &self,
        arguments: &[&str],
        variables: &BTreeMap<String, String>,
        input: &str,
    ) -> Ended {
        let mut process = self.process(arguments);
        process.envs(variables).stdin(Stdio::piped());
        let mut process = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A process that reads no input may have ended already.
        let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
        let output = process.wait_with_output().unwrap();
        Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            told: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs `init` for alice.
    pub fn init(&self, arguments: &[&str]) -> Ended {
        let handle = self.command.stage.account("alice").handle;
        let mut all = vec!["init", &handle];
        all.extend(["--client-id", self.client_id, "--redirect-uri", self.redirect_uri]);
        all.extend(arguments);
        self.run(&all)
    }

    /// Begins a login of alice, who consents. Returns the URL that the browser ends on.
    pub fn approved(&self) -> String {
        let begun = self.init(&[]);
        assert_eq!(begun.code, Some(0), "{begun:?}");
        self.command.approve(&url_of(&begun))
    }

    /// Logs alice in, and writes the credentials to a file in the working folder.
    pub fn log_in(&self, file: &str, format: &str) {
        let back = self.approved();
        let ended = self.run(&["complete", &back, "--output", file, "--format", format]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.out, "");
    }
}

/// The authorization URL, which is the only line of standard output.
pub fn url_of(begun: &Ended) -> Url {
    assert_eq!(begun.out.lines().count(), 1, "{begun:?}");
    begun.out.trim_end().parse().unwrap()
}

/// The values of credentials in JSON.
pub fn values(json: &str) -> BTreeMap<String, String> {
    serde_json::from_str(json).unwrap()
}

fn token(path: &Path) -> String {
    values(&read_to_string(path).unwrap()).remove("ATPROTO_OAUTH_REFRESH_TOKEN").unwrap()
}

#[cfg(unix)]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
}

#[cfg(not(unix))]
fn assert_private(_: &Path) {}

pub fn a_login_in_two_processes_is_used_by_others(command: &Command<'_>) {
    // Rules L-01, L-02, L-03
    let alice = command.stage.account("alice");
    for desk in [Desk::web(command), Desk::loopback(command)] {
        let begun = desk.init(&[]);
        assert_eq!(begun.code, Some(0), "{begun:?}");
        assert!(begun.told.contains("atproto-oauth complete"), "{begun:?}");
        assert_private(&desk.state());
        let back = command.approve(&url_of(&begun));

        // The URL comes from standard input.
        let output = ["complete", "--output", "login.json", "--format", "json"];
        let ended = desk.run_with(&output, &BTreeMap::new(), &format!("{back}\n"));
        assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{ended:?}");
        assert!(ended.told.contains(&format!("Logged in as {}", alice.handle)), "{ended:?}");
        assert!(!desk.state().exists());
        let file = desk.path("login.json");
        assert_private(&file);
        let kept = values(&read_to_string(&file).unwrap());
        assert_eq!(kept["ATPROTO_OAUTH_DID"], alice.did);
        assert_eq!(kept["ATPROTO_OAUTH_PDS_ISSUER"], alice.pds);
        assert_eq!(kept["ATPROTO_OAUTH_CLIENT_ID"], desk.client_id);
        let jwk: Value = serde_json::from_str(&kept["ATPROTO_OAUTH_DPOP_PRIVATE_JWK"]).unwrap();
        assert_eq!(jwk["crv"], "P-256");

        // Each further process spends the token and stores the next one.
        let mut tokens = vec![token(&file)];
        for arguments in [&["refresh"][..], &["call", WHO], &["call", WHO]] {
            let all: Vec<_> = ["credentials"].iter().chain(arguments).copied().collect();
            let ended = desk.run(&[&all[..], &["--file", "login.json"]].concat());
            assert_eq!(ended.code, Some(0), "{ended:?}");
            match arguments {
                ["refresh"] => assert_eq!(ended.out, ""),
                _ => assert!(ended.out.contains(&alice.did), "{ended:?}"),
            }
            tokens.push(token(&file));
            assert_private(&file);
        }
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), 4);
        // The new token is stored although the call fails.
        let call = ["credentials", "call", "com.atproto.repo.getRecord", "--file", "login.json"];
        assert_eq!(desk.run(&call).code, Some(1));
        let last = token(&file);
        assert!(!tokens.contains(&last));
        // No file is left over.
        let names = fs::read_dir(desk.folder.path()).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["login.json"]);
    }
}

pub fn the_credentials_may_be_in_the_environment(command: &Command<'_>) {
    // Rules L-02, L-03
    let alice = command.stage.account("alice");
    let desk = Desk::web(command);
    let back = desk.approved();
    let ended = desk.run(&["complete", &back, "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let first = values(&ended.out);

    let ended = desk.run_with(&["credentials", "refresh", "--format", "json"], &first, "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let second = values(&ended.out);
    let is_changed = |name: &&String| first[*name] != second[*name];
    let changed: Vec<_> = first.keys().filter(is_changed).collect();
    assert_eq!(changed, ["ATPROTO_OAUTH_REFRESH_TOKEN"]);

    // The new credentials are printed in front of the response, or written to a file.
    let call = ["credentials", "call", WHO, "--format", "dotenv"];
    let ended = desk.run_with(&call, &second, "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (lines, answer) = ended.out.split_once('{').unwrap();
    let (jwk, answer) = answer.split_once("\n{").unwrap();
    assert!(lines.starts_with("ATPROTO_OAUTH_REFRESH_TOKEN='") && !jwk.contains("export"));
    let answer: Value = serde_json::from_str(&format!("{{{answer}")).unwrap();
    assert_eq!(answer["did"], alice.did);

    // The spent token ends the session.
    let ended = desk.run_with(&["credentials", "refresh"], &first, "");
    assert_eq!((ended.code, ended.out.as_str()), (Some(6), ""), "{ended:?}");
    assert!(ended.told.contains("log in again with `atproto-oauth init`"), "{ended:?}");
}

pub fn a_denied_login_is_forgotten(command: &Command<'_>) {
    let desk = Desk::web(command);
    let begun = desk.init(&[]);
    let back = command.stage.deny(&url_of(&begun));
    let ended = desk.run(&["complete", &back]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(5), ""), "{ended:?}");
    assert!(ended.told.contains("access_denied"), "{ended:?}");
    assert!(!desk.state().exists());
}

pub fn a_tested_login_leaves_no_tokens(command: &Command<'_>) {
    // Rule L-02
    let issuer = command.stage.account("alice").issuer;
    let desk = Desk::loopback(command);
    let back = desk.approved();
    command.stage.clear_log();
    let ended = desk.run(&["complete", &back, "--format", "none"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{ended:?}");
    let is_revoked = |seen: &Seen| seen.path == "/oauth/revoke" && seen.status == Some(200);
    assert!(command.stage.log(&issuer).iter().any(is_revoked));
}

pub fn a_login_in_two_processes_is_told_as_json(command: &Command<'_>) {
    // Rules L-01, L-02, L-03, L-25
    let desk = Desk::web(command);
    let json = |ended: &Ended, names: &[&str]| {
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let json: Value = serde_json::from_str(&ended.out).unwrap();
        let found: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        assert_eq!(found, names, "{ended:?}");
        json
    };
    let begin = || {
        let begun = json(&desk.init(&["--json"]), &["expires_at", "state_file", "url"]);
        command.approve(&begun["url"].as_str().unwrap().parse().unwrap())
    };
    let names = ["credentials", "did", "file", "handle", "pds", "scopes"];
    let printed = json(&desk.run(&["complete", &begin(), "--json"]), &names);
    let credentials = printed["credentials"].as_object().unwrap();
    assert!(credentials.contains_key("ATPROTO_OAUTH_REFRESH_TOKEN"), "{printed}");
    let tested = desk.run(&["complete", &begin(), "--json", "--format", "none"]);
    assert_eq!(json(&tested, &names)["credentials"], Value::Null);
    let written = desk.run(&["complete", &begin(), "--json", "--output", "credentials.env"]);
    let written = json(&written, &names);
    assert_eq!(
        (&written["file"], &written["credentials"]),
        (&"credentials.env".into(), &Value::Null)
    );

    let source = ["--file", "credentials.env", "--json"];
    let renewed = desk.run(&[&["credentials", "refresh"][..], &source].concat());
    assert_eq!(json(&renewed, &names)["credentials"], Value::Null);
    let reply = desk.run(&[&["credentials", "call", WHO][..], &source].concat());
    let reply = json(&reply, &["body", "encoding", "headers", "status"]);
    assert_eq!(reply["body"]["did"], written["did"]);
}
