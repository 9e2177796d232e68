//! The command `atproto-oauth` as a process: its output, its callback listener and its session
//! file.

use std::fs::read_to_string;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::flows::Stage;

/// The command, and the network that it runs in.
pub struct Command<'a> {
    /// The network.
    pub stage: &'a dyn Stage,
    /// Nameserver of the network.
    pub nameserver: SocketAddr,
    /// Path of the executable.
    pub binary: PathBuf,
}

impl Command<'_> {
    fn start(&self, session: &Path, arguments: &[&str]) -> process::Command {
        let mut command = process::Command::new(&self.binary);
        command.args(arguments).arg("--session").arg(session).arg("--development");
        command.args(["--plc-directory", self.stage.directory().as_str()]);
        command.args(["--nameserver", &self.nameserver.to_string()]);
        command
    }

    /// Runs `login`, and passes the authorization URL to `browse`, which returns the callback URL.
    /// Returns the exit code, the output, and the page that the callback listener shows.
    fn log_in(
        &self,
        session: &Path,
        browse: impl FnOnce(&Url) -> String,
    ) -> (Option<i32>, String, String) {
        let handle = self.stage.account("alice").handle;
        let mut login = self
            .start(session, &["login", &handle, "--no-browser"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(login.stderr.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.find(|line| line.starts_with("http")).unwrap();
        let back = browse(&url.parse().unwrap());
        let page = ureq::get(&back).config().http_status_as_error(false).build().call().unwrap();
        let page = page.into_body().read_to_string().unwrap();
        let mut printed = String::new();
        login.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        printed.extend(lines);
        (login.wait().unwrap().code(), printed, page)
    }

    fn approve(&self, url: &Url) -> String {
        self.stage.approve(url, &self.stage.account("alice").handle)
    }

    fn call(&self, session: &Path, arguments: &[&str]) -> (Option<i32>, String) {
        let arguments: Vec<_> = ["call"].iter().chain(arguments).copied().collect();
        let output = self.start(session, &arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }
}

pub fn the_command_logs_in_and_calls(command: &Command<'_>) {
    let alice = command.stage.account("alice");
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("kept/session.json");
    let (code, printed, page) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains(&format!("Logged in as {}", alice.handle)), "{printed}");
    assert!(page.contains(&format!("You are logged in as {}", alice.handle)), "{page}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&session), mode(session.parent().unwrap())), (0o600, 0o700));
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

    let (code, answer) = command.call(&session, &["com.atproto.server.getSession", "x"]);
    assert_eq!(code, Some(2), "{answer}");
    let (code, answer) = command.call(&session, &["no-nsid"]);
    assert_eq!(code, Some(2), "{answer}");
    let (code, answer) = command.call(&session, &["com.atproto.repo.getRecord"]);
    assert_eq!(code, Some(1), "{answer}");
    let (code, answer) = command.call(&folder.path().join("none"), &["a.b.getC"]);
    assert_eq!(code, Some(6), "{answer}");
}

pub fn an_expired_token_is_refreshed_and_stored(command: &Command<'_>) {
    let issuer = command.stage.account("alice").issuer;
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("session.json");
    command.stage.set_access_token_lifetime(&issuer, Duration::from_secs(2));
    let (code, printed, _) = command.log_in(&session, |url| command.approve(url));
    command.stage.set_access_token_lifetime(&issuer, Duration::from_secs(3600));
    assert_eq!(code, Some(0), "{printed}");
    let before = read_to_string(&session).unwrap();

    let (code, answer) = command.call(&session, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(0), "{answer}");
    let after = read_to_string(&session).unwrap();
    let token = |json: &str| serde_json::from_str::<Value>(json).unwrap()["refresh_token"].clone();
    assert_ne!(token(&before), token(&after), "the refreshed session is in the file");
    let (code, answer) = command.call(&session, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(0), "{answer}");
}

pub fn the_option_for_a_network_on_this_machine_is_named(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("session.json");
    let run = |arguments: &[&str]| {
        let mut process = process::Command::new(&command.binary);
        let output = process.args(arguments).arg("--session").arg(&session).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let option = "a network on this machine needs the option --development";
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
    let output = command.start(&folder.path().join("session.json"), &arguments).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(7), "{told}");
    let place = &closed[url::Position::BeforeHost..url::Position::AfterPort];
    assert!(told.contains(&format!("GET {place}/.well-known/oauth-")), "{told}");
}

/// Runs `login` in a network where the tokens are not for the account, and returns the message.
pub fn rejected_tokens(command: &Command<'_>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("session.json");
    let (code, printed, page) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(8), "{printed}");
    assert!(page.contains("Not logged in") && !session.exists(), "{page}");
    printed
}

pub fn a_server_that_leaves_out_nonces_is_accepted(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("session.json");
    let (code, printed, _) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    let (code, answer) = command.call(&session, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(0), "{answer}");
}

/// Runs `login` with a session file that is refused before the browser is needed. Returns the exit
/// code and the message.
fn refused(command: &Command<'_>, session: &Path) -> (Option<i32>, String) {
    let login = command.start(session, &["login", "alice.test", "--no-browser"]).output().unwrap();
    (login.status.code(), String::from_utf8(login.stderr).unwrap())
}

#[cfg(unix)]
pub fn a_session_file_is_tried_out_before_anything_is_sent(command: &Command<'_>) {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    let folder = tempfile::tempdir().unwrap();
    let pds = command.stage.account("alice").pds;
    command.stage.clear_log();

    // A path that is not a file would be replaced.
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let (code, told) = refused(command, &socket);
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("is not a regular file; name another file with --session"), "{told}");
    assert!(!socket.metadata().unwrap().is_file());
    let (code, told) = refused(command, folder.path());
    assert_eq!(code, Some(3), "{told}");

    // The folder is a file.
    let file = folder.path().join("file");
    std::fs::write(&file, "notes").unwrap();
    let (code, told) = refused(command, &file.join("session.json"));
    assert_eq!(code, Some(3), "{told}");

    // Rule K-10: others may read the file.
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    for (code, told) in [refused(command, &file), command.call(&file, &["a.b.getC"])] {
        assert_eq!(code, Some(3), "{told}");
        assert!(told.contains(&format!("run: chmod 600 {}", file.display())), "{told}");
    }
    assert_eq!(read_to_string(&file).unwrap(), "notes");

    // The lock cannot be had.
    std::fs::create_dir(folder.path().join("session.json.lock")).unwrap();
    let (code, told) = refused(command, &folder.path().join("session.json"));
    assert_eq!(code, Some(3), "{told}");
    assert!(command.stage.log(&pds).is_empty());
}

pub fn tokens_that_cannot_be_stored_are_revoked(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let session = kept.join("session.json");
    let issuer = command.stage.account("alice").issuer;
    // While the browser is open, the folder of the session is replaced by a file.
    let (code, printed, page) = command.log_in(&session, |url| {
        std::fs::remove_dir_all(&kept).unwrap();
        std::fs::write(&kept, "").unwrap();
        command.approve(url)
    });
    assert_eq!(code, Some(3), "{printed}");
    assert!(page.contains("Not logged in") && page.contains("revoked"), "{page}");
    let text = "the new tokens were revoked: log in again";
    assert!(printed.contains(text), "{printed}");
    let log = command.stage.log(&issuer);
    assert_eq!(log.last().unwrap().line(), "POST /oauth/revoke 200");

    // Rule G-11: a refresh is not begun without the lock, or if its tokens could not be stored.
    std::fs::remove_file(&kept).unwrap();
    command.stage.set_access_token_lifetime(&issuer, Duration::from_secs(2));
    let (code, printed, _) = command.log_in(&session, |url| command.approve(url));
    command.stage.set_access_token_lifetime(&issuer, Duration::from_secs(3600));
    assert_eq!(code, Some(0), "{printed}");
    command.stage.clear_log();
    let lock = kept.join("session.json.lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let (code, told) = command.call(&session, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(3), "{told}");
    let log = command.stage.log(&issuer);
    assert!(log.iter().all(|seen| seen.path != "/oauth/token"), "{log:?}");
}

#[cfg(unix)]
pub fn a_session_file_may_be_a_symbolic_link(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let (link, session) = (folder.path().join("link"), folder.path().join("session.json"));
    let (code, printed, _) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    std::os::unix::fs::symlink(&session, &link).unwrap();
    let before = read_to_string(&session).unwrap();
    let (code, printed, _) = command.log_in(&link, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_ne!(read_to_string(&session).unwrap(), before);
}

pub fn a_denied_login_has_its_own_exit_code(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("session.json");
    let (code, printed, page) = command.log_in(&session, |url| command.stage.deny(url));
    assert_eq!(code, Some(5), "{printed}");
    assert!(page.contains("Not logged in") && page.contains("access_denied"), "{page}");
    assert!(!session.exists());
}
