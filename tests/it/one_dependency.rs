//! Two programs outside the workspace, whose only dependency is an adapter, log in.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use atproto_oauth_sandbox::Served;

/// Builds the program in its own workspace, and checks that it logs in to a sandbox.
fn logs_in(program: &str, adapter: &str) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("one_dependency").join(program);
    fs::create_dir_all(&folder).unwrap();
    let source = repository.join("tests/one_dependency").join(program).join("main.rs");
    let manifest = format!(
        "[package]\nname = \"one-dependency-{program}\"\nedition = \"2024\"\n\n\
         [[bin]]\nname = \"one-dependency-{program}\"\npath = {source:?}\n\n\
         [dependencies]\n{adapter} = {{ path = {:?} }}\n\n[workspace]\n\n{}",
        repository.join("crates").join(adapter),
        profiles(repository)
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // The build is offline, so it needs the versions that the workspace has downloaded.
    fs::copy(repository.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    // The target folder and profiles of the workspace, so that most dependencies are already built.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));

    let network = Served::start(1).unwrap();
    let mut program = Command::new(target.join(format!("debug/one-dependency-{program}")))
        .args([network.names().plc.clone(), network.nameserver().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(program.stdout.take().unwrap()).lines();
    let did = printed.next().and_then(|line| {
        let callback = network.sandbox().approve(&line.unwrap().parse().unwrap(), "alice.test");
        writeln!(program.stdin.take().unwrap(), "{}", callback.unwrap()).unwrap();
        printed.next()
    });
    let mut errors = String::new();
    program.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    let status = program.wait().unwrap();
    assert!(status.success(), "{status}: {errors}");
    assert_eq!(did.unwrap().unwrap(), network.sandbox().did("alice.test").unwrap());
}

/// Returns the profiles of the workspace: the end of its manifest.
fn profiles(repository: &Path) -> String {
    let manifest = fs::read_to_string(repository.join("Cargo.toml")).unwrap();
    manifest[manifest.find("[profile.").unwrap()..].to_owned()
}

#[test]
fn a_blocking_program_with_one_dependency_logs_in() {
    logs_in("blocking", "atproto-oauth-ureq");
}

#[test]
fn an_async_program_with_one_dependency_logs_in() {
    logs_in("async", "atproto-oauth-reqwest");
}
