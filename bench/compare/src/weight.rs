//! Weight of a program that logs in, makes a request, and prints the account: its crates, and the time and size of
//! its build.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::table::{Report, WeightRow};

/// The programs, by package in the folder `logins`.
const PROGRAMS: [(&str, &str); 3] = [
    ("login-reqwest", "reqwest adapter"),
    ("login-ureq", "ureq adapter"),
    ("login-skyauth", "skyauth 0.3.9"),
];

pub(crate) fn measure(report: &mut Report) {
    for (package, name) in PROGRAMS {
        let (seconds, size) = build(package, "weighed");
        let (_, fat) = build(package, "fat");
        let crates = foreign_crates(package);
        report.weights.push(WeightRow { name: name.to_owned(), crates, seconds, size, fat });
    }
    let _ = fs::remove_dir_all(target());
}

/// Crates from the registry that a program is made of, without those that only build it.
fn foreign_crates(package: &str) -> usize {
    let mut cargo = Command::new("cargo");
    cargo.args(["tree", "--locked", "-e", "normal", "--prefix", "none", "-p", package]);
    let printed = String::from_utf8(succeed(&mut cargo).stdout).unwrap();
    let lines = printed.lines().map(|line| line.trim_end_matches(" (*)"));
    // A crate of this repository is followed by its path.
    lines.filter(|line| !line.is_empty() && !line.contains("(/")).collect::<BTreeSet<_>>().len()
}

/// Builds a program from nothing. Returns the processor time that this takes, in seconds, and the size of the
/// program in megabytes.
fn build(package: &str, profile: &str) -> (f64, f64) {
    let _ = fs::remove_dir_all(target());
    succeed(Command::new("cargo").args(["fetch", "--quiet", "--locked"]));
    let mut bash = Command::new("bash");
    let script = r#"TIMEFORMAT=%U; time cargo build --locked "$@" 2>/dev/null"#;
    bash.args(["-c", script, "bash", "-p", package, "--profile", profile]);
    let printed = succeed(bash.arg("--target-dir").arg(target())).stderr;
    let seconds = String::from_utf8(printed).unwrap().trim().parse().unwrap();
    let program = fs::metadata(target().join(profile).join(package)).unwrap();
    (seconds, program.len() as f64 / 1e6)
}

fn succeed(command: &mut Command) -> Output {
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The folder of these builds, which the builds of the measuring program do not share.
fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/weight")
}
