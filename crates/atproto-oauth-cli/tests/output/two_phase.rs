//! `init`, `complete` and `credentials`.

use atproto_oauth_core::{Client, Scopes};
use atproto_oauth_tests::flows::Stage;
use serde_json::Value;
use url::Url;

use crate::network::in_network;
use crate::snapshot::Snapshot;

const CLIENT_ID: &str = "https://app.client.dev/two-phase.json";
const REDIRECT_URI: &str = "https://app.client.dev/callback.html";
const INIT: [&str; 6] =
    ["init", "alice.test", "--client-id", CLIENT_ID, "--redirect-uri", REDIRECT_URI];

/// Publishes the client that the verbs use.
fn publish(snapshot: &Snapshot) {
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    let client = Client::web(CLIENT_ID, scopes).redirect_uri(REDIRECT_URI);
    let stage: &dyn Stage = &snapshot.network().stage;
    stage.publish(&stage.configure(client).build().unwrap());
}

/// Runs `init`, and returns the URL to open.
fn begin(snapshot: &mut Snapshot, options: &[&str]) -> Url {
    let printed = snapshot.run(&[&INIT[..], options].concat());
    match serde_json::from_str::<Value>(&printed) {
        Ok(json) => json["url"].as_str().unwrap().parse().unwrap(),
        Err(_) => printed.trim_end().parse().unwrap(),
    }
}

/// Begins a login to which alice consents. Returns the URL that the browser ends on.
fn consented(snapshot: &mut Snapshot, options: &[&str]) -> String {
    let url = begin(snapshot, options);
    let back = snapshot.network().stage.approve(&url, "alice.test");
    snapshot.secrets.of_url(&back);
    back
}

/// Lets the next runs read the printed credentials from the environment.
fn keep(snapshot: &mut Snapshot, printed: &str) {
    let json: Value = serde_json::from_str(printed).unwrap();
    for (name, value) in json.get("credentials").unwrap_or(&json).as_object().unwrap() {
        snapshot.set(name, value.as_str().unwrap());
    }
}

#[test]
fn logins_in_two_processes() {
    // Rules L-01, L-02, L-25, L-26
    in_network("two_phase_logins", |snapshot| {
        publish(snapshot);
        for format in ["env", "dotenv", "json", "none"] {
            let back = consented(snapshot, &[]);
            snapshot.run(&["complete", &back, "--format", format]);
            let back = consented(snapshot, &["--json"]);
            let complete = ["complete", "-", "--format", format, "--json"];
            snapshot.run_with_input(&complete, &format!("{back}\n"));
        }
        for json in [&[][..], &["--json"]] {
            let back = consented(snapshot, json);
            snapshot.run(&[&["complete", &back, "--output", "login.env"], json].concat());
        }
    });
}

#[test]
fn logins_in_two_processes_that_fail() {
    // Rules L-01, L-02, L-25, L-26
    in_network("two_phase_refused", |snapshot| {
        publish(snapshot);
        for json in [&[][..], &["--json"]] {
            let back = consented(snapshot, &[]);
            snapshot.run(&[&INIT[..], json].concat());
            let foreign = back.replace("state=", "state=x");
            snapshot.run(&[&["complete", &foreign], json].concat());
            let other = back.replace("callback.html", "other.html");
            snapshot.run(&[&["complete", &other], json].concat());
            let (_, rest) = back.split_once("&state").unwrap();
            let evil = format!("{REDIRECT_URI}?iss=https%3A%2F%2Fevil.example.com&state{rest}");
            snapshot.run(&[&["complete", &evil], json].concat());
            snapshot.run(&[&["complete", &back], json].concat());
            let url = begin(snapshot, &[]);
            let back = snapshot.network().stage.deny(&url);
            snapshot.secrets.of_url(&back);
            snapshot.run(&[&["complete", &back], json].concat());
        }
    });
}

#[test]
fn credentials_of_a_login_in_two_processes() {
    // Rules L-03, L-25, L-26
    in_network("credentials", |snapshot| {
        publish(snapshot);
        let back = consented(snapshot, &[]);
        snapshot.run(&["complete", &back, "--output", "login.env"]);
        let call = ["credentials", "call", "com.atproto.server.getSession"];
        let refused = ["credentials", "call", "com.atproto.repo.getRecord"];
        for json in [&[][..], &["--json"]] {
            let file = [&["--file", "login.env"], json].concat();
            snapshot.run(&[&["credentials", "refresh"], &file[..]].concat());
            snapshot.run(&[&call[..], &file].concat());
            snapshot.run(&[&refused[..], &file].concat());
        }
        let back = consented(snapshot, &[]);
        let mut printed = snapshot.run(&["complete", &back, "--format", "json"]);
        keep(snapshot, &printed);
        let first = printed.clone();
        for options in [&["--format", "json"][..], &["--json"]] {
            printed = snapshot.run(&[&["credentials", "refresh"], options].concat());
            keep(snapshot, &printed);
        }
        snapshot.run(&[&call[..], &["--format", "dotenv"]].concat());
        // Its token is spent.
        keep(snapshot, &first);
        for json in [&[][..], &["--json"]] {
            snapshot.run(&[&["credentials", "refresh"], json].concat());
            snapshot.run(&[&call[..], json].concat());
        }
    });
}
