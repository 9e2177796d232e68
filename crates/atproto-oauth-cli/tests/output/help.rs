//! Help texts, and the demonstration.

use std::io::{BufRead, BufReader};

use crate::snapshot::{Run, Snapshot};

/// All verbs. A verb below another one has a space.
const VERBS: [&str; 29] = [
    "login",
    "call",
    "logout",
    "sessions list",
    "sessions show",
    "sessions refresh",
    "sessions revoke",
    "sessions export",
    "sessions import",
    "whoami",
    "upload-blob",
    "scope parse",
    "scope normalize",
    "scope check",
    "completions",
    "man",
    "init",
    "complete",
    "credentials refresh",
    "credentials call",
    "templates",
    "check-metadata",
    "check-server",
    "doctor",
    "resolve",
    "keygen",
    "generate-metadata",
    "demo",
    "sandbox",
];

#[test]
fn help_of_each_verb() {
    // Rule L-25
    let mut snapshot = Snapshot::new();
    for verbs in ["", "sessions", "scope", "credentials"].into_iter().chain(VERBS) {
        let verbs: Vec<_> = verbs.split_whitespace().collect();
        snapshot.run(&[&verbs[..], &["--help"]].concat());
    }
    snapshot.compare("help");
}

#[test]
fn the_guide_of_the_sandbox() {
    // Rule L-25
    let mut snapshot = Snapshot::new();
    snapshot.mask(env!("CARGO_BIN_EXE_atproto-oauth"), "atproto-oauth");
    for (arguments, last) in
        [(&["sandbox"][..], "Requests and DNS lookups"), (&["sandbox", "--json"], "{")]
    {
        let mut process = snapshot.process(arguments).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let mut run = Run::of(arguments);
        for line in out.lines().map(Result::unwrap) {
            run.out.push_str(&line);
            run.out.push('\n');
            if line.starts_with(last) {
                break;
            }
        }
        // A sandbox runs until it is stopped.
        process.kill().unwrap();
        run.code = process.wait().unwrap().code();
        snapshot.add(run);
    }
    snapshot.compare("sandbox");
}

#[test]
fn the_demonstration_shows_no_secret() {
    // Rule L-26
    let mut snapshot = Snapshot::new();
    let told = snapshot.run(&["demo"]);
    assert!(told.contains("code         …\n"), "{told}");
    snapshot.search_all();
}
