//! Tests of `resolve` with the built command, in a sandbox on loopback ports.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failed test panics")]

use std::process::Command;

use atproto_oauth_sandbox::{Dns, Fault, HandleAnswers};
use atproto_oauth_tests::flows::{OnSockets, Sandboxed, Stage};
use serde_json::{Value, json};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atproto-oauth"));
    command.arg("resolve").args(arguments);
    command
}

/// Exit code, standard output and standard error.
fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Runs `resolve` in the network of `stage`. In the result, names stand for the origins of rita's
/// servers, whose ports differ from run to run.
fn resolve(stage: &OnSockets, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = command(arguments);
    command.arg("--development");
    command.args(["--plc-directory", stage.directory().as_str()]);
    command.args(["--nameserver", &stage.nameserver().to_string()]);
    for (host, address) in stage.hosts() {
        command.args(["--connect-to", &format!("{host}={address}")]);
    }
    let (code, printed, told) = run(&mut command);
    let rita = stage.account("rita");
    let plc = stage.directory().to_string();
    let named = |text: String| {
        text.replace(plc.trim_end_matches('/'), "https://plc")
            .replace(&rita.pds, "https://pds")
            .replace(&rita.issuer, "https://entryway")
    };
    (code, named(printed), told)
}

#[test]
fn each_step_to_the_endpoints_is_shown_with_its_source() {
    // Rules A-89, L-12
    let stage = OnSockets::blocking();
    let rita = stage.account("rita");
    let text = "\
Handle: rita.test
  DNS: the TXT record of _atproto.rita.test names did:plc:RITA
  verified: the DID document claims it
DID: did:plc:RITA
  its document: https://plc/did:plc:RITA
PDS: https://pds
  the DID document names it
Issuer: https://entryway
  https://pds/.well-known/oauth-protected-resource names it
Endpoints:
  authorization_endpoint: https://entryway/oauth/authorize
  pushed_authorization_request_endpoint: https://entryway/oauth/par
  token_endpoint: https://entryway/oauth/token
  revocation_endpoint: https://entryway/oauth/revoke
  https://entryway/.well-known/oauth-authorization-server names them
";
    let text = text.replace("did:plc:RITA", &rita.did);
    for subject in [&rita.handle, &rita.did] {
        assert_eq!(resolve(&stage, &[subject]), (Some(0), text.clone(), String::new()));
        let (code, printed, told) = resolve(&stage, &[subject, "--json"]);
        assert_eq!((code, told.as_str()), (Some(0), ""));
        assert_eq!(
            serde_json::from_str::<Value>(&printed).unwrap(),
            json!({
                "input": subject,
                "handle": {
                    "name": "rita.test",
                    "leads_to": rita.did,
                    "method": "dns",
                    "source": "_atproto.rita.test",
                    "is_verified": true,
                    "problem": null,
                },
                "did": rita.did,
                "did_document_url": format!("https://plc/{}", rita.did),
                "pds": "https://pds",
                "server": null,
                "resource_metadata_url": "https://pds/.well-known/oauth-protected-resource",
                "issuer": "https://entryway",
                "server_metadata_url": "https://entryway/.well-known/oauth-authorization-server",
                "endpoints": {
                    "authorization_endpoint": "https://entryway/oauth/authorize",
                    "pushed_authorization_request_endpoint": "https://entryway/oauth/par",
                    "token_endpoint": "https://entryway/oauth/token",
                    "revocation_endpoint": "https://entryway/oauth/revoke",
                },
                "error": null,
            })
        );
    }
}

#[test]
fn a_server_leads_to_its_endpoints() {
    // Rule L-12
    let stage = OnSockets::blocking();
    let rita = stage.account("rita");
    let (code, printed, told) = resolve(&stage, &[&rita.issuer]);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let begin = "Server: https://entryway\n  given\nIssuer: https://entryway\n  the server has no \
                 protected resource metadata, so it is its own issuer\nEndpoints:\n  authorization_";
    assert!(printed.starts_with(begin), "{printed}");
    let (code, printed, _) = resolve(&stage, &[&rita.pds, "--json"]);
    assert_eq!(code, Some(0));
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let servers = ["did", "pds", "server", "issuer"].map(|member| &printed[member]);
    assert_eq!(
        servers,
        [&Value::Null, &Value::Null, &json!("https://pds"), &json!("https://entryway")]
    );
}

#[test]
fn a_handle_that_is_not_verified_has_a_reason() {
    // Rules, L-12, L-25
    let stage = OnSockets::blocking();
    let rita = stage.account("rita");
    let path = format!("/{}", rita.did);
    let other = Fault::merge(json!({"alsoKnownAs": ["at://other.test"]})).path(&path);

    // The document claims another handle than the given one: an error, after all steps.
    stage.sandbox().fault(other.clone().always());
    let (code, printed, told) = resolve(&stage, &["rita.test"]);
    assert_eq!(code, Some(4), "{told}");
    assert!(
        printed.contains("\n  not verified: the DID document claims other.test\n"),
        "{printed}"
    );
    assert!(printed.contains("Issuer: https://entryway\n"), "{printed}");
    assert!(told.contains("leads to") && told.contains("claims other.test"), "{told}");

    // The claimed handle does not resolve: no error, because the DID was given.
    let (code, printed, told) = resolve(&stage, &[&rita.did, "--json"]);
    assert_eq!(code, Some(0), "{told}");
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let handle = &printed["handle"];
    assert_eq!((&handle["name"], &handle["is_verified"]), (&json!("other.test"), &json!(false)));
    assert_eq!((&handle["leads_to"], &handle["source"]), (&Value::Null, &Value::Null));
    assert!(handle["problem"].as_str().unwrap().contains("does not resolve"), "{handle}");
    stage.sandbox().clear_faults();

    // The claimed handle leads to another account.
    let bob = Fault::merge(json!({"alsoKnownAs": ["at://bob.test"]})).path(&path);
    stage.sandbox().fault(bob.always());
    let (code, printed, _) = resolve(&stage, &[&rita.did]);
    assert_eq!(code, Some(0));
    let bob = stage.account("bob").did;
    assert!(printed.contains(&format!("\n  not verified: it leads to {bob}\n")), "{printed}");
    stage.sandbox().clear_faults();

    // The document claims no handle.
    stage.sandbox().fault(Fault::merge(json!({"alsoKnownAs": []})).path(&path).always());
    let (code, printed, _) = resolve(&stage, &[&rita.did]);
    assert_eq!(code, Some(0));
    assert!(printed.starts_with("Handle: none\n  the DID document claims no valid handle\n"));
    stage.sandbox().clear_faults();

    // DNS has no record, so that the host of the handle answers.
    *stage.sandbox().handle_answers("rita.test") =
        HandleAnswers { dns: Dns::NoSuchName, https: Some(rita.did.clone()) };
    let (code, printed, told) = resolve(&stage, &["rita.test"]);
    assert_eq!(code, Some(0), "{told}");
    let line = format!("\n  HTTPS: http://rita.test/.well-known/atproto-did names {}\n", rita.did);
    assert!(printed.contains(&line), "{printed}");
}

#[test]
fn the_steps_before_a_failure_are_shown() {
    // Rules L-12, L-25
    let stage = OnSockets::blocking();
    let rita = stage.account("rita");
    let nothing = Fault::status(http::StatusCode::NOT_FOUND);
    stage.sandbox().fault(nothing.path("/.well-known/oauth-protected-resource").always());
    let (code, printed, told) = resolve(&stage, &["rita.test"]);
    assert_eq!(code, Some(4), "{told}");
    assert!(printed.ends_with("PDS: https://pds\n  the DID document names it\n"), "{printed}");
    assert!(told.contains("does not offer OAuth"), "{told}");

    for (subject, code, why) in [
        ("nobody.test", 4, "the handle nobody.test does not resolve"),
        ("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", 4, "nothing was found at"),
        ("http://localhost:1", 7, "was not sent"),
    ] {
        let (found, printed, told) = resolve(&stage, &[subject, "--json"]);
        assert_eq!(found, Some(code), "{told}");
        let printed: Value = serde_json::from_str(&printed).unwrap();
        assert!(printed["error"]["message"].as_str().unwrap().contains(why), "{printed}");
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((&told["error"], &told["error"]["code"]), (&printed["error"], &json!(code)));
        assert_eq!((&printed["input"], &printed["endpoints"]), (&json!(subject), &Value::Null));
    }
    let (code, printed, told) = resolve(&stage, &["alice"]);
    assert_eq!((code, printed.as_str()), (Some(2), ""), "{told}");

    // Without the option for a network on this machine.
    for subject in [rita.handle.as_str(), &rita.pds, "did:web:localhost%3A1"] {
        let (code, _, told) = run(&mut command(&[subject]));
        assert!(code != Some(0) && told.contains("--development"), "{subject}: {told}");
    }
}
