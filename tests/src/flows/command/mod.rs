//! The command `atproto-oauth` as a process: its output, its callback listener and its sessions.

mod logins;
mod stored;

use std::ffi::OsStr;
use std::fs::{self, read_to_string};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, ChildStderr, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

pub use self::logins::*;
pub use self::stored::*;
use crate::flows::{Seen, Stage};

/// The command, and the network that it runs in.
pub struct Command<'a> {
    /// The network.
    pub stage: &'a dyn Stage,
    /// Nameserver of the network.
    pub nameserver: SocketAddr,
    /// Path of the executable.
    pub binary: PathBuf,
}

/// A process of the command `binary` that has neither the configuration nor the keyring of a developer.
pub fn isolated(binary: impl AsRef<OsStr>) -> process::Command {
    let mut command = process::Command::new(binary);
    command.env("ATPROTO_OAUTH_CONFIG", "").env("ATPROTO_OAUTH_SEALING_KEY", "file");
    command
}

impl Command<'_> {
    fn start(&self, sessions: &Path, arguments: &[&str]) -> process::Command {
        let mut command = self.process(arguments);
        command.arg("--sessions").arg(sessions);
        command
    }

    /// The command with the options of the network.
    pub(crate) fn process(&self, arguments: &[&str]) -> process::Command {
        let mut command = isolated(&self.binary);
        command.args(arguments).arg("--development");
        command.args(["--plc-directory", self.stage.directory().as_str()]);
        command.args(["--nameserver", &self.nameserver.to_string()]);
        command
    }

    /// Runs `login` for alice, and passes the authorization URL to `browse`, which returns the callback
    /// URL. Returns the exit code, the output, and the page that the callback listener shows.
    fn log_in(
        &self,
        sessions: &Path,
        browse: impl FnOnce(&Url) -> String,
    ) -> (Option<i32>, String, String) {
        let handle = self.stage.account("alice").handle;
        self.log_in_with(sessions, &[&handle], browse)
    }

    fn log_in_with(
        &self,
        sessions: &Path,
        arguments: &[&str],
        browse: impl FnOnce(&Url) -> String,
    ) -> (Option<i32>, String, String) {
        let (mut login, url) = LoginProcess::begin(self, sessions, arguments);
        let page = get(&browse(&url));
        let (code, printed, told) = login.end();
        (code, printed + &told, page)
    }

    pub(crate) fn approve(&self, url: &Url) -> String {
        self.stage.approve(url, &self.stage.account("alice").handle)
    }

    pub(crate) fn call(&self, sessions: &Path, arguments: &[&str]) -> (Option<i32>, String) {
        let arguments: Vec<_> = ["call"].iter().chain(arguments).copied().collect();
        self.run(sessions, &arguments)
    }

    /// Runs a verb that uses no network, and returns its exit code and its output.
    pub(crate) fn run_offline(&self, sessions: &Path, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = isolated(&self.binary);
        let output = command.args(arguments).arg("--sessions").arg(sessions).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }

    /// Runs the command, and returns its exit code and its output.
    pub(crate) fn run(&self, sessions: &Path, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.start(sessions, arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }
}

/// A running `login`, which has shown its URL.
struct LoginProcess {
    process: process::Child,
    lines: Lines<BufReader<ChildStderr>>,
    told: Vec<String>,
}

impl LoginProcess {
    /// Begins a login whose standard input is a pipe. Returns the authorization URL, too.
    fn begin(command: &Command<'_>, sessions: &Path, arguments: &[&str]) -> (Self, Url) {
        let arguments: Vec<_> =
            ["login", "--no-browser"].iter().chain(arguments).copied().collect();
        let mut process = command
            .start(sessions, &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut login = Self { process, lines, told: Vec::new() };
        let url = login.read_until(|line| line.starts_with("http") && !line.contains(' '));
        (login, url.parse().unwrap())
    }

    /// Reads standard error up to a line.
    fn read_until(&mut self, is_meant: impl Fn(&str) -> bool) -> String {
        let told = &mut self.told;
        let line = self.lines.by_ref().map(Result::unwrap).find(|line| {
            told.push(line.clone());
            is_meant(line)
        });
        line.unwrap_or_else(|| panic!("the login does not tell the line: {told:?}"))
    }

    fn paste(&mut self, line: &str) {
        writeln!(self.process.stdin.as_ref().unwrap(), "{line}").unwrap();
    }

    /// Returns the exit code, standard output, and all of standard error.
    fn end(&mut self) -> (Option<i32>, String, String) {
        let mut printed = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        self.told.extend(self.lines.by_ref().map(Result::unwrap));
        (self.process.wait().unwrap().code(), printed, self.told.join("\n"))
    }
}

/// The page that the callback listener shows.
fn get(url: &str) -> String {
    let page = ureq::get(url).config().http_status_as_error(false).build().call().unwrap();
    page.into_body().read_to_string().unwrap()
}

pub fn the_command_logs_in_and_calls(command: &Command<'_>) {
    let alice = command.stage.account("alice");
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("kept/sessions");
    let (code, printed, page) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains(&format!("Logged in as {}", alice.handle)), "{printed}");
    assert!(page.contains(&format!("You are logged in as {}", alice.handle)), "{page}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &str| {
            let path = folder.path().join(path);
            path.metadata().unwrap().permissions().mode() & 0o777
        };
        let modes = ["kept", "kept/sessions", "kept/sessions.key"].map(mode);
        assert_eq!(modes, [0o700, 0o700, 0o600]);
    }

    let (code, answer) = command.call(&session, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(0), "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["did"], alice.did);

    let repo = format!("repo={}", alice.did);
    let record = r#"record:={"$type":"com.example.note","text":"from the command"}"#;
    let write = ["com.atproto.repo.createRecord", &repo, "collection=com.example.note", record];
    let (code, answer) = command.call(&session, &write);
    assert_eq!(code, Some(0), "{answer}");
    writes_of_data_are_the_body(command, &session, &alice.did);

    let (code, answer) = command.call(&session, &["com.atproto.server.getSession", "x"]);
    assert_eq!(code, Some(2), "{answer}");
    let (code, answer) = command.call(&session, &["no-nsid"]);
    assert_eq!(code, Some(2), "{answer}");
    let (code, answer) = command.call(&session, &["com.atproto.repo.getRecord"]);
    assert_eq!(code, Some(1), "{answer}");
    let (code, answer) = command.call(&folder.path().join("none"), &["a.b.getC"]);
    assert_eq!(code, Some(6), "{answer}");
}

/// A body comes from an argument, from a file and from standard input.
fn writes_of_data_are_the_body(command: &Command<'_>, session: &Path, did: &str) {
    let record = json!({ "$type": "com.example.note", "text": "with --data" });
    let input = json!({ "repo": did, "collection": "com.example.note", "record": record });
    let input = input.to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input.json");
    fs::write(&file, &input).unwrap();
    for data in [&input, &format!("@{}", file.display()), "@-"] {
        let write = ["call", "com.atproto.repo.createRecord", "--data", data];
        let mut process = command.start(session, &write);
        process.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = process.spawn().unwrap();
        let mut stdin = process.stdin.take().unwrap();
        if data == "@-" {
            stdin.write_all(input.as_bytes()).unwrap();
        }
        drop(stdin);
        let output = process.wait_with_output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(answer["uri"].as_str().unwrap().starts_with(&format!("at://{did}/")), "{answer}");
    }
    let query = ["com.atproto.server.getSession", "--query", "--data", "{}"];
    let (code, told) = command.call(session, &query);
    assert_eq!(code, Some(2), "{told}");
}

pub fn an_expired_token_is_refreshed_and_stored(command: &Command<'_>) {
    let issuer = command.stage.account("alice").issuer;
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("sessions");
    command.stage.set_access_token_lifetime(&issuer, Duration::from_secs(2));
    let (code, printed, _) = command.log_in(&session, |url| command.approve(url));
    command.stage.set_access_token_lifetime(&issuer, Duration::from_secs(3600));
    assert_eq!(code, Some(0), "{printed}");
    command.stage.clear_log();
    for _ in 0..2 {
        let (code, answer) = command.call(&session, &["com.atproto.server.getSession"]);
        assert_eq!(code, Some(0), "{answer}");
    }
    // One refresh, perhaps with a retry for a nonce: the second call uses the stored tokens.
    let log = command.stage.log(&issuer);
    let is_done = |seen: &&Seen| seen.path == "/oauth/token" && seen.status == Some(200);
    assert_eq!(log.iter().filter(is_done).count(), 1, "{log:?}");
}

pub fn a_trace_shows_each_request_and_no_secret(command: &Command<'_>) {
    let handle = command.stage.account("alice").handle;
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let mut back = String::new();
    let (code, login, _) = command.log_in_with(&sessions, &[&handle, "--trace"], |url| {
        back = command.approve(url);
        back.clone()
    });
    assert_eq!(code, Some(0), "{login}");
    let export = ["sessions", "export", "--keep", "--output", "-"];
    let (_, exported) = command.run_offline(&sessions, &export);
    let exported: Value = serde_json::from_str(exported.lines().next().unwrap()).unwrap();
    let (code, refreshed) = command.run(&sessions, &["sessions", "refresh", "--trace"]);
    assert_eq!(code, Some(0), "{refreshed}");
    let (code, called) = command.run(&sessions, &["whoami", "--trace"]);
    assert_eq!(code, Some(0), "{called}");
    let (_, again) = command.run_offline(&sessions, &export);
    let again: Value = serde_json::from_str(again.lines().next().unwrap()).unwrap();

    let trace = [login, refreshed, called].concat();
    for part in [
        "/oauth/token, with a proof, form: ",
        "grant_type=authorization_code",
        "code=…",
        "grant_type=refresh_token",
        "refresh_token=…",
        "→ 200, with a nonce, JSON: access_token=…",
        "/xrpc/com.atproto.server.getSession, with a token, with a proof",
    ] {
        assert!(trace.contains(part), "{part}: {trace}");
    }
    let url = Url::parse(&back).unwrap();
    let code = url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let mut secrets = vec![code];
    for session in [&exported, &again] {
        secrets.push(session["access_token"].as_str().unwrap().to_owned());
        secrets.push(session["refresh_token"].as_str().unwrap().to_owned());
        secrets.push(session["dpop_key"]["d"].as_str().unwrap().to_owned());
    }
    for secret in secrets {
        assert!(secret.len() > 8 && !trace.contains(&secret), "{trace}");
    }
}

pub fn a_file_is_uploaded(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let (code, printed, _) = command.log_in(&sessions, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    let file = folder.path().join("note.txt");
    fs::write(&file, vec![b'a'; 300_000]).unwrap();
    let file = file.to_str().unwrap();
    let (code, told) =
        command.run(&sessions, &["upload-blob", file, "--content-type", "text/plain"]);
    assert_eq!(code, Some(0), "{told}");
    let blob: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&blob["$type"], &blob["size"]), (&"blob".into(), &300_000.into()), "{told}");
    let (code, told) = command.run(&sessions, &["upload-blob", "no-such-file"]);
    assert_eq!(code, Some(3), "{told}");
}

pub fn the_option_for_a_network_on_this_machine_is_named(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("sessions");
    let run = |arguments: &[&str]| {
        let mut process = isolated(&command.binary);
        let output = process.args(arguments).arg("--sessions").arg(&session).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let option = "help: give --development: the names are of a network on this machine";
    let pds = command.stage.account("alice").pds;
    for subject in ["alice.test", &pds, "did:web:localhost%3A2583"] {
        let (code, told) = run(&["login", "--no-browser", subject]);
        assert!(code != Some(0) && told.contains(option), "{subject}: {told}");
    }
    let (code, printed, _) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    let (code, told) = run(&["call", "com.atproto.server.getSession"]);
    assert!(code != Some(0) && told.contains(option), "{told}");

    // A mistake that the option does not mend.
    let (code, told) = run(&["login", "--no-browser", "alice"]);
    assert!(code == Some(2) && !told.contains("--development"), "{told}");
    let (code, told) = command.call(&session, &["com.atproto.repo.getRecord"]);
    assert!(code == Some(1) && !told.contains("--development"), "{told}");
}

pub fn a_request_that_fails_is_named(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let closed = command.stage.closed_port();
    let arguments = ["login", "--no-browser", closed.as_str()];
    let output = command.start(&folder.path().join("sessions"), &arguments).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(7), "{told}");
    let place = &closed[url::Position::BeforeHost..url::Position::AfterPort];
    assert!(told.contains(&format!("GET {place}/.well-known/oauth-")), "{told}");
}

/// Runs `login` in a network where the tokens are not for the account, and returns the message.
pub fn rejected_tokens(command: &Command<'_>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("sessions");
    let (code, printed, page) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(8), "{printed}");
    assert!(page.contains("Not logged in"), "{page}");
    assert_eq!(command.call(&session, &["a.b.getC"]).0, Some(6));
    printed
}

pub fn a_server_that_leaves_out_nonces_is_accepted(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("sessions");
    let (code, printed, _) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    let (code, answer) = command.call(&session, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(0), "{answer}");
}

/// Runs `login` with a store that is refused before the browser is needed. Returns the exit code and the
/// message.
fn refused(command: &Command<'_>, sessions: &Path) -> (Option<i32>, String) {
    command.run(sessions, &["login", "alice.test", "--no-browser"])
}

#[cfg(unix)]
pub fn the_store_is_opened_before_anything_is_sent(command: &Command<'_>) {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let pds = command.stage.account("alice").pds;
    command.stage.clear_log();

    // The folder, or one above it, is a file.
    let file = folder.path().join("file");
    fs::write(&file, "notes").unwrap();
    for sessions in [file.clone(), file.join("sessions")] {
        let (code, told) = refused(command, &sessions);
        assert_eq!(code, Some(3), "{told}");
    }
    assert_eq!(read_to_string(&file).unwrap(), "notes");

    // Rule K-10: others may read the key.
    let (sessions, key) = (folder.path().join("sessions"), folder.path().join("sessions.key"));
    let (code, told) = command.call(&sessions, &["a.b.getC"]);
    assert_eq!(code, Some(6), "{told}");
    fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    for (code, told) in [refused(command, &sessions), command.call(&sessions, &["a.b.getC"])] {
        assert_eq!(code, Some(3), "{told}");
        assert!(told.contains("chmod 600") && told.contains("sessions.key"), "{told}");
    }
    assert!(command.stage.log(&pds).is_empty());
}
