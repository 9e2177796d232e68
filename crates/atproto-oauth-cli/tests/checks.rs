//! Tests of `check-metadata`, `check-server` and `doctor` with the built command, in a sandbox on loopback
//! ports.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failed test panics")]

use atproto_oauth_sandbox::{Dns, Fault, HandleAnswers};
use atproto_oauth_tests::flows::command::isolated;
use atproto_oauth_tests::flows::{OnSockets, Sandboxed, Stage};
use serde_json::{Value, json};

const CLIENT_ID: &str = "https://app.client.dev/client.json";

/// Exit code, standard output and standard error. Names stand for the origins of rita's servers, whose
/// ports differ from run to run.
fn run(stage: &OnSockets, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = isolated(env!("CARGO_BIN_EXE_atproto-oauth"));
    command.args(arguments).arg("--development");
    command.args(["--plc-directory", stage.directory().as_str()]);
    command.args(["--nameserver", &stage.nameserver().to_string()]);
    for (host, address) in stage.hosts() {
        command.args(["--connect-to", &format!("{host}={address}")]);
    }
    let output = command.output().unwrap();
    let rita = stage.account("rita");
    let named = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        text.replace(&rita.pds, "https://pds").replace(&rita.issuer, "https://entryway")
    };
    (output.status.code(), named(output.stdout), named(output.stderr))
}

#[test]
fn a_finding_has_no_name_of_rust() {
    // Rule L-25
    let stage = OnSockets::blocking();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.json");
    let mut document = document();
    document["redirect_uris"] = json!(["http://127.0.0.1/callback"]);
    std::fs::write(&file, document.to_string()).unwrap();
    let check = ["check-metadata", CLIENT_ID, "--document", file.to_str().unwrap()];
    for format in [&[][..], &["--json"]] {
        let (code, printed, _) = run(&stage, &[&check[..], format].concat());
        assert_eq!(code, Some(1), "{printed}");
        assert!(
            printed.contains("a loopback client") && !printed.contains("Client::"),
            "{printed}"
        );
    }
}

fn run_json(stage: &OnSockets, arguments: &[&str]) -> (Option<i32>, Value) {
    let (code, printed, _) = run(stage, &[arguments, &["--json"]].concat());
    (code, serde_json::from_str(&printed).unwrap())
}

fn document() -> Value {
    json!({
        "client_id": CLIENT_ID,
        "client_name": "An app",
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": ["https://app.client.dev/callback"],
        "scope": "atproto",
        "dpop_bound_access_tokens": true,
        "token_endpoint_auth_method": "none",
    })
}

#[test]
fn the_published_metadata_of_a_client_are_checked() {
    // Rules C-01, L-23
    let stage = OnSockets::blocking();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.json");
    let path = file.to_str().unwrap();
    std::fs::write(&file, document().to_string()).unwrap();
    let check = ["check-metadata", CLIENT_ID, "--document", path];
    let (code, text, told) = run(&stage, &check);
    let accepted = "Authorization servers accept this client.\n";
    assert_eq!((code, text.as_str(), told.as_str()), (Some(0), accepted, ""));
    let (code, json) = run_json(&stage, &check);
    let expected = json!({"client_id": CLIENT_ID, "accepted": true, "findings": []});
    assert_eq!((code, json), (Some(0), expected));

    let mut broken = document();
    broken["redirect_uris"] = json!(["http://localhost/callback"]);
    broken["scope"] = json!("transition:generic");
    broken["dpop_bound_access_tokens"] = json!(false);
    std::fs::write(&file, broken.to_string()).unwrap();
    let (code, json) = run_json(&stage, &check);
    assert_eq!((code, &json["accepted"]), (Some(1), &json!(false)));
    let codes: Vec<_> =
        json["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]).collect();
    for code in ["redirect_uri_localhost", "scope_missing_atproto", "dpop_not_bound"] {
        assert!(codes.contains(&&json!(code)), "{codes:?}");
    }
    let (code, text, told) = run(&stage, &check);
    assert_eq!(code, Some(1));
    assert!(text.contains("error redirect_uri_localhost: `redirect_uris[0]`: "), "{text}");
    assert!(text.ends_with("Authorization servers refuse this client.\n"), "{text}");
    assert!(told.contains("findings are errors\nhelp: correct them"), "{told}");

    // A document that nobody serves
    let (code, json) = run_json(&stage, &["check-metadata", "https://localhost/client.json"]);
    assert_eq!((code, &json["accepted"]), (Some(1), &json!(false)));
    let (code, json) = run_json(&stage, &["check-metadata", "http://localhost?scope=atproto"]);
    assert_eq!((code, &json["accepted"]), (Some(0), &json!(true)), "{json}");
}

#[test]
fn a_server_is_checked() {
    // Rule L-23
    let stage = OnSockets::blocking();
    let pds = stage.account("rita").pds;
    let (code, text, told) = run(&stage, &["check-server", &pds]);
    // A second may begin between the two clocks.
    let clock = |line: &&str| !line.starts_with("ok       clock      this clock is ");
    let without_clock: String =
        text.lines().filter(clock).map(|line| format!("{line}\n")).collect();
    assert_eq!(text.lines().count(), 5, "{text}");
    assert_eq!(
        without_clock,
        "ok       connection https://pds answers\n\
         ok       metadata   https://pds names the issuer https://entryway, which follows the profile\n\
         ok       revocation https://entryway/oauth/revoke\n\
         ok       nonce      https://entryway gives DPoP nonces\n",
        "{told}"
    );
    assert_eq!((code, told.as_str()), (Some(0), ""));

    let broken = Fault::merge(json!({"authorization_servers": []}));
    stage.sandbox().fault(broken.path("/.well-known/oauth-protected-resource").always());
    let (code, json) = run_json(&stage, &["check-server", &pds]);
    assert_eq!(code, Some(1));
    let checks = json["checks"].as_array().unwrap();
    let last = checks.last().unwrap();
    assert_eq!((&last["check"], &last["status"]), (&json!("metadata"), &json!("error")));
    assert!(last["message"].as_str().unwrap().contains("authorization_servers"), "{last}");
    assert!(last["remedy"].is_string());
}

#[test]
fn the_doctor_finds_what_stands_in_the_way_of_a_login() {
    // Rule L-24
    let stage = OnSockets::blocking();
    let rita = stage.account("rita");
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let doctor = ["doctor", &rita.handle, "--sessions", sessions.to_str().unwrap()];
    let (code, text, told) = run(&stage, &doctor);
    let checks: Vec<_> = text.lines().map(|line| line.get(..19).unwrap_or(line).trim()).collect();
    let expected = [
        "sessions",
        "handle",
        "claim",
        "DID",
        "connection",
        "clock",
        "metadata",
        "revocation",
        "nonce",
    ];
    let expected: Vec<_> = expected.iter().map(|check| format!("ok       {check}")).collect();
    assert_eq!(
        (code, checks),
        (Some(0), expected.iter().map(String::as_str).collect()),
        "{text} {told}"
    );
    assert!(!sessions.exists(), "the doctor creates nothing");

    *stage.sandbox().handle_answers("rita.test") =
        HandleAnswers { dns: Dns::NoSuchName, https: None };
    let (code, json) = run_json(&stage, &doctor);
    assert_eq!(code, Some(1));
    let last = json["checks"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["check"], &last["status"]), (&json!("handle"), &json!("error")));
}
