//! Tests of the place of the sealing key, with the keyring of GNOME on a bus of the test's own.
//!
//! Without the programs `dbus-daemon` and `gnome-keyring-daemon`, the tests that need them are skipped, except
//! on CI.
#![cfg(target_os = "linux")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a failed test panics")]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use atproto_oauth_tests::flows::OnSockets;
use atproto_oauth_tests::flows::command::{self, isolated};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_atproto-oauth");

/// Settings of a bus that starts no programs.
///
/// The bus of a desktop would start a keyring of its own for a client that asks before ours is there, and that
/// one is locked.
const BUS: &str = "<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context='default'>
    <allow send_destination='*' eavesdrop='true'/>
    <allow eavesdrop='true'/>
    <allow own='*'/>
  </policy>
</busconfig>
";

/// A bus with a keyring, in processes that end with the value.
struct Keyring {
    bus: Child,
    daemon: Child,
    address: String,
    /// Data of the keyring.
    _home: TempDir,
}

impl Keyring {
    /// Starts both programs; `None` if one of them is not installed.
    fn start() -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        let configuration = home.path().join("bus.conf");
        fs::write(&configuration, BUS).unwrap();
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--nofork", "--print-address"]);
        bus.arg(format!("--config-file={}", configuration.display()));
        let bus = bus.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut bus = match bus {
            Err(_) if env::var_os("CI").is_none() => return None,
            bus => bus.unwrap(),
        };
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        let mut daemon = Command::new("gnome-keyring-daemon");
        daemon.args(["--foreground", "--unlock", "--components=secrets"]);
        daemon.env("DBUS_SESSION_BUS_ADDRESS", &address).env("HOME", home.path());
        daemon.env_remove("XDG_DATA_HOME").env("XDG_RUNTIME_DIR", home.path());
        let daemon = daemon.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = match daemon.spawn() {
            Err(_) if env::var_os("CI").is_none() => {
                end(&mut bus);
                return None;
            }
            daemon => daemon.unwrap(),
        };
        daemon.stdin.take().unwrap().write_all(b"password").unwrap();
        let keyring = Self { bus, daemon, address, _home: home };
        keyring.wait();
        Some(keyring)
    }

    /// Waits until the keyring answers.
    fn wait(&self) {
        for _ in 0..300 {
            let folder = tempfile::tempdir().unwrap();
            let (code, _) = run(&mut self.command(), folder.path(), &["--sealing-key", "keyring"]);
            if code == Some(0) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the keyring does not answer");
    }

    /// The command with this keyring and no preference.
    fn command(&self) -> Command {
        let mut command = isolated(BINARY);
        command.env_remove("ATPROTO_OAUTH_SEALING_KEY");
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        command
    }

    /// A program that is the command with this keyring.
    fn program(&self, folder: &Path) -> PathBuf {
        let program = folder.join("atproto-oauth");
        let script = format!(
            "#!/bin/sh\nunset ATPROTO_OAUTH_SEALING_KEY\n\
             DBUS_SESSION_BUS_ADDRESS='{}' exec '{BINARY}' \"$@\"\n",
            self.address
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        program
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        end(&mut self.daemon);
        end(&mut self.bus);
    }
}

fn end(process: &mut Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}

/// The command on a machine without a keyring.
fn without_keyring() -> Command {
    let mut command = isolated(BINARY);
    command.env_remove("ATPROTO_OAUTH_SEALING_KEY");
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    command
}

/// Lists the sessions of the folder `sessions`, and returns the exit code and standard error.
fn run(command: &mut Command, folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    command.args(["sessions", "list", "--sessions"]).arg(folder.join("sessions"));
    let output = command.args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn key_file(folder: &Path) -> PathBuf {
    folder.join("sessions.key")
}

#[test]
fn sessions_are_sealed_with_a_key_in_the_keyring() {
    let Some(keyring) = Keyring::start() else { return eprintln!("skipped: there is no keyring") };
    let stage = OnSockets::blocking();
    let folder = tempfile::tempdir().unwrap();
    let binary = keyring.program(folder.path());
    let nameserver = stage.nameserver();
    command::sessions_are_shown_renewed_and_moved(&command::Command {
        stage: &stage,
        nameserver,
        binary,
    });
}

#[test]
fn the_place_of_the_key_is_chosen_once() {
    let Some(keyring) = Keyring::start() else { return eprintln!("skipped: there is no keyring") };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert_eq!(run(&mut keyring.command(), path, &[]), (Some(0), String::new()));
    assert!(!key_file(path).exists());
    assert_eq!(run(&mut keyring.command(), path, &["--sealing-key", "keyring"]).0, Some(0));
    let (code, told) = run(&mut keyring.command(), path, &["--sealing-key", "file"]);
    assert!(code == Some(3) && told.contains("is in the keyring"), "{told}");
    assert!(!key_file(path).exists(), "no other key is made");

    // A machine without the keyring, and one with another keyring.
    let (code, told) = run(&mut without_keyring(), path, &[]);
    assert!(code == Some(3) && told.contains("where the keyring is"), "{told}");
    let other = Keyring::start().unwrap();
    let (code, told) = run(&mut other.command(), path, &[]);
    assert!(code == Some(3) && told.contains("is not in the keyring"), "{told}");
    assert!(!key_file(path).exists(), "no other key is made");
    assert_eq!(run(&mut keyring.command(), path, &[]), (Some(0), String::new()));
}

#[test]
fn a_locked_keyring_is_not_given_up_for_a_file() {
    let Some(keyring) = Keyring::start() else { return eprintln!("skipped: there is no keyring") };
    let mut lock = Command::new("dbus-send");
    lock.env("DBUS_SESSION_BUS_ADDRESS", &keyring.address);
    lock.args(["--session", "--print-reply", "--dest=org.freedesktop.secrets"]);
    lock.args(["/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock"]);
    lock.arg("array:objpath:/org/freedesktop/secrets/collection/login");
    assert!(lock.stdout(Stdio::null()).status().unwrap().success());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (code, told) = run(&mut keyring.command(), path, &[]);
    assert!(code == Some(3) && told.contains("--sealing-key file"), "{told}");
    assert!(!key_file(path).exists());
    // The choice is still open.
    assert_eq!(run(&mut keyring.command(), path, &["--sealing-key", "file"]).0, Some(0));
}

#[test]
fn processes_that_choose_at_the_same_time_use_one_key() {
    let Some(keyring) = Keyring::start() else { return eprintln!("skipped: there is no keyring") };
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let all: Vec<_> = (0..6)
        .map(|place| {
            let mut command = keyring.command();
            if place % 2 == 0 {
                command = without_keyring();
            }
            command.args(["sessions", "list", "--sessions"]).arg(&sessions);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let told: Vec<_> = all.into_iter().map(|process| process.wait_with_output().unwrap()).collect();
    // One place has won, and only the processes that can't read it fail.
    let (code, _) = run(&mut without_keyring(), folder.path(), &[]);
    let in_file = code == Some(0);
    for (place, output) in told.iter().enumerate() {
        let fits = in_file || place % 2 == 1;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), fits, "{place} {in_file}: {told}");
    }
    assert_eq!(run(&mut keyring.command(), folder.path(), &[]), (Some(0), String::new()));
}

#[test]
fn without_a_keyring_the_key_is_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (code, told) = run(&mut without_keyring(), path, &["--sealing-key", "keyring"]);
    assert!(code == Some(3) && told.contains("--sealing-key file"), "{told}");
    let (code, told) = run(&mut without_keyring(), path, &[]);
    assert!(code == Some(0) && told.starts_with("note: the key of the sessions is in"), "{told}");
    assert_eq!(fs::metadata(key_file(path)).unwrap().permissions().mode() & 0o777, 0o600);
    // The second time, there is nothing to say.
    assert_eq!(run(&mut without_keyring(), path, &[]), (Some(0), String::new()));
    let (code, told) = run(&mut without_keyring(), path, &["--sealing-key", "keyring"]);
    assert!(code == Some(3) && told.contains("is in the file"), "{told}");
}

#[test]
fn a_key_that_is_gone_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let file = ["--sealing-key", "file"];
    assert_eq!(run(&mut without_keyring(), path, &file), (Some(0), String::new()));
    let key = fs::read(key_file(path)).unwrap();
    fs::remove_file(key_file(path)).unwrap();
    for _ in 0..2 {
        let (code, told) = run(&mut without_keyring(), path, &file);
        assert!(code == Some(3) && told.contains("is not in the file"), "{told}");
        assert!(!key_file(path).exists());
    }
    // Another key is not the key.
    let other = String::from_utf8(key.clone()).unwrap().replace(['0', '1', '2', '3'], "4");
    fs::write(key_file(path), other).unwrap();
    fs::set_permissions(key_file(path), fs::Permissions::from_mode(0o600)).unwrap();
    let (code, told) = run(&mut without_keyring(), path, &[]);
    assert!(code == Some(3) && told.contains("is not in the file"), "{told}");
    fs::write(key_file(path), key).unwrap();
    assert_eq!(run(&mut without_keyring(), path, &[]), (Some(0), String::new()));
}

#[test]
fn a_folder_of_an_earlier_version_keeps_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(key_file(path), "42".repeat(32)).unwrap();
    fs::set_permissions(key_file(path), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(run(&mut without_keyring(), path, &[]), (Some(0), String::new()));
    assert_eq!(fs::read_to_string(key_file(path)).unwrap(), "42".repeat(32));
    fs::write(key_file(path), "43".repeat(32)).unwrap();
    assert_eq!(run(&mut without_keyring(), path, &[]).0, Some(3));
}
