//! Runs of the command whose standard output or standard error is full.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};

use atproto_oauth_tests::flows::command::isolated;

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = isolated(env!("CARGO_BIN_EXE_atproto-oauth"));
    command.args(arguments).env("ATPROTO_OAUTH_SESSIONS", folder.join("sessions"));
    command
}

/// A device on which each write fails.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

#[test]
fn the_exit_code_is_right_if_standard_error_is_full() {
    // Rule L-25
    let folder = tempfile::tempdir().unwrap();
    for (arguments, code) in [
        (&["whoami"][..], 6),
        (&["whoami", "--json"], 6),
        (&["login", "--scoop"], 2),
        // With a trace
        (&["resolve", "alice.test", "--development", "--nameserver", "127.0.0.1:1", "--trace"], 7),
    ] {
        let output = command(folder.path(), arguments).stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
    let Output { status, stdout, .. } =
        command(folder.path(), &["keygen", "--output", "-"]).stderr(full()).output().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(stdout.starts_with(b"-----BEGIN PRIVATE KEY-----"));
}

#[test]
fn a_full_standard_output_is_an_error() {
    // Rule L-25
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["sessions", "list"][..], &["scope", "normalize", "atproto", "--json"]] {
        let output = command(folder.path(), arguments).stdout(full()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(3) && told.contains("can't write to stdout"),
            "{told}"
        );
    }
    // The demo is a story for people, and ends its login without a reader, too.
    let output = command(folder.path(), &["demo"]).stdout(full()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
