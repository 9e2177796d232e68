//! Time of a callback and of a refresh over hosts that are 50 ms away, blocking adapter over async adapter: the
//! bench `distance` measures it.

use std::path::Path;
use std::process::Command;

use crate::table::{Goal, Report};

pub(crate) fn measure(report: &mut Report) {
    let mut cargo = Command::new("cargo");
    cargo.args([
        "bench",
        "--quiet",
        "--locked",
        "-p",
        "atproto-oauth-benches",
        "--bench",
        "distance",
    ]);
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    for step in ["callback", "refresh"] {
        // For example: `refresh: 112.1ms; 120.9ms; 0.93`
        let line = printed.lines().find(|line| line.starts_with(step)).unwrap();
        let (_, ratio) = line.rsplit_once(' ').unwrap();
        let name = format!("{step} over hosts at 50 ms, blocking adapter over async adapter");
        report.add(&name, ratio.parse().unwrap(), "", Goal::AtMost(1.2));
    }
}
