//! Tests of `login` in a pseudo-terminal, in a sandbox on loopback ports.
#![cfg(target_os = "linux")]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failed test panics")]

use std::process::Command;
use std::time::Duration;

use atproto_oauth_sandbox::Fault;
use atproto_oauth_tests::flows::command::isolated;
use atproto_oauth_tests::flows::{OnSockets, Sandboxed, Stage};
use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};
use tempfile::TempDir;
use url::Url;

const BINARY: &str = env!("CARGO_BIN_EXE_atproto-oauth");

const PROMPT: &str = "Then paste the address of that page here:";

/// A `login` of alice that waits for the browser in its terminal.
struct Waiting {
    terminal: PtySession,
    /// URL that the user opens.
    url: Url,
    folder: TempDir,
}

impl Waiting {
    fn begin(stage: &OnSockets) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut login = Self::spawn(stage, command(&folder, BINARY), folder);
        login.terminal.exp_string(PROMPT).unwrap();
        login
    }

    /// Begins a login as a background job of a shell.
    fn begin_in_background(stage: &OnSockets) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = command(&folder, "sh");
        shell.args(["-c", "set -m; \"$@\" & wait", "sh", BINARY]);
        Self::spawn(stage, shell, folder)
    }

    fn spawn(stage: &OnSockets, mut login: Command, folder: TempDir) -> Self {
        login.args(["login", "--no-browser", "alice.test", "--development"]);
        login.args(["--plc-directory", stage.directory().as_str()]);
        login.args(["--nameserver", &stage.nameserver().to_string()]);
        let mut terminal = spawn_command(login, Some(30_000)).unwrap();
        let (_, url) = terminal.exp_regex(r"https?://\S+authorize\S+").unwrap();
        Self { terminal, url: url.parse().unwrap(), folder }
    }

    fn end(&mut self) -> (Option<i32>, String) {
        let told = self.terminal.exp_eof().unwrap();
        match self.terminal.process_mut().wait().unwrap() {
            WaitStatus::Exited(_, code) => (Some(code), told),
            _ => (None, told),
        }
    }

    /// Number of the stored sessions.
    fn sessions(&self) -> usize {
        let output =
            command(&self.folder, BINARY).args(["sessions", "list", "--json"]).output().unwrap();
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        list["sessions"].as_array().unwrap().len()
    }
}

fn command(folder: &TempDir, program: &str) -> Command {
    let mut command = isolated(program);
    command.env("ATPROTO_OAUTH_SESSIONS", folder.path().join("sessions"));
    command
}

#[test]
fn a_url_pasted_in_a_terminal_finishes_the_login() {
    // Rule L-20
    let stage = OnSockets::blocking();
    let mut login = Waiting::begin(&stage);
    login.terminal.send_line("alice.test").unwrap();
    login.terminal.exp_string("This is not the URL that the browser ended on.").unwrap();
    let back = stage.approve(&login.url, "alice.test");
    login.terminal.send_line(&back).unwrap();
    login.terminal.exp_string("Logged in as alice.test").unwrap();
    let (code, told) = login.end();
    assert_eq!((code, login.sessions()), (Some(0), 1), "{told}");
}

#[test]
fn the_browser_answers_a_login_in_a_terminal() {
    // Rule L-20
    let stage = OnSockets::blocking();
    let mut login = Waiting::begin(&stage);
    let back = stage.approve(&login.url, "alice.test");
    let page = ureq::get(&back).call().unwrap().into_body().read_to_string().unwrap();
    assert!(page.contains("You are logged in as alice.test"), "{page}");
    let (code, told) = login.end();
    assert!(told.contains("Logged in as alice.test"), "{told}");
    assert_eq!((code, login.sessions()), (Some(0), 1), "{told}");
}

#[test]
fn a_slow_server_is_named_in_a_terminal() {
    let stage = OnSockets::blocking();
    let mut login = Waiting::begin(&stage);
    let back = stage.approve(&login.url, "alice.test");
    ureq::get(&back).call().unwrap();
    login.end();
    let slow = Fault::delay(Duration::from_secs(2)).path("/xrpc/*");
    for is_terminal in [true, false] {
        stage.sandbox().fault(slow.clone());
        let mut process = command(&login.folder, BINARY);
        process.args(["whoami", "--development"]);
        process.args(["--plc-directory", stage.directory().as_str()]);
        process.args(["--nameserver", &stage.nameserver().to_string()]);
        if is_terminal {
            let mut terminal = spawn_command(process, Some(30_000)).unwrap();
            terminal.exp_string("waiting for ").unwrap();
            let told = terminal.exp_eof().unwrap();
            assert!(told.contains("alice.test"), "{told}");
        } else {
            let output = process.output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        }
    }
}

#[test]
fn a_background_job_does_not_read_from_its_terminal() {
    // Rule L-20: the terminal would stop the job.
    let stage = OnSockets::blocking();
    let mut login = Waiting::begin_in_background(&stage);
    let back = stage.approve(&login.url, "alice.test");
    ureq::get(&back).call().unwrap();
    let (code, told) = login.end();
    assert!(told.contains("Logged in as alice.test") && !told.contains(PROMPT), "{told}");
    assert_eq!((code, login.sessions()), (Some(0), 1), "{told}");
}

#[test]
fn a_login_begins_although_interrupts_are_ignored() {
    // Rule L-20
    let stage = OnSockets::blocking();
    let folder = tempfile::tempdir().unwrap();
    let mut shell = command(&folder, "sh");
    shell.args(["-c", "trap '' INT; exec \"$@\"", "sh", BINARY]);
    let mut login = Waiting::spawn(&stage, shell, folder);
    let back = stage.approve(&login.url, "alice.test");
    ureq::get(&back).call().unwrap();
    let (code, told) = login.end();
    assert_eq!((code, login.sessions()), (Some(0), 1), "{told}");
}

#[test]
fn an_interrupt_ends_the_wait() {
    // Rule L-20
    let stage = OnSockets::blocking();
    let mut login = Waiting::begin(&stage);
    login.terminal.send_control('c').unwrap();
    let (code, told) = login.end();
    assert!(told.contains("the login was interrupted"), "{told}");
    assert_eq!((code, login.sessions()), (Some(130), 0), "{told}");
}

#[test]
fn an_interrupt_loses_no_tokens() {
    // Rule L-20: the tokens are issued, but their response is late.
    let stage = OnSockets::blocking();
    let mut login = Waiting::begin(&stage);
    let late = Fault::delay(Duration::from_secs(3)).path("/oauth/token");
    stage.sandbox().fault(late);
    let back = stage.approve(&login.url, "alice.test");
    login.terminal.send_line(&back).unwrap();
    let issuer = stage.account("alice").issuer;
    while !stage.log(&issuer).iter().any(|seen| seen.path == "/oauth/token") {
        std::thread::sleep(Duration::from_millis(20));
    }
    login.terminal.send_control('c').unwrap();
    login.terminal.exp_string("The login has its answer.").unwrap();
    login.terminal.exp_string("Logged in as alice.test").unwrap();
    let (code, told) = login.end();
    assert_eq!((code, login.sessions()), (Some(0), 1), "{told}");
}
