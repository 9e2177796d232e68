//! `login`: finished by the browser or a pasted URL, and each way in which it fails.

use atproto_oauth_sandbox::{Fault, Habits};
use atproto_oauth_tests::flows::{OnSockets, Sandboxed, Stage};
use http::StatusCode;
use url::Url;

use crate::network::{approve, in_network, wait};
use crate::snapshot::Snapshot;

const LOGIN: [&str; 3] = ["login", "--no-browser", "alice.test"];

fn log_in(snapshot: &mut Snapshot, options: &[&str], handle: &str) {
    snapshot.log_in(&[&LOGIN[..], options].concat(), approve(handle));
}

/// The URL of another login, and then the right one.
fn foreign_and_right(stage: &OnSockets, url: &Url) -> Vec<String> {
    let right = stage.approve(url, "alice.test");
    let mut foreign: Url = right.parse().unwrap();
    let pairs: Vec<_> = foreign.query_pairs().into_owned().collect();
    let pairs = pairs.into_iter().map(|(name, value)| match name.as_str() {
        "state" => (name, "foreign".to_owned()),
        _ => (name, value),
    });
    let pairs: Vec<_> = pairs.collect();
    foreign.query_pairs_mut().clear().extend_pairs(pairs);
    vec![foreign.into(), right]
}

#[test]
fn logins_and_earlier_sessions() {
    // Rules L-20, L-25, L-26
    in_network("login", |snapshot| {
        log_in(snapshot, &[], "alice.test");
        log_in(snapshot, &["--json", "--scope", "atproto"], "alice.test");
        // Both sessions end.
        snapshot.run(&["logout"]);
        log_in(snapshot, &[], "alice.test");
        log_in(snapshot, &["--replace"], "alice.test");
        log_in(snapshot, &["--replace", "--json"], "alice.test");
        // The account is not known before the login.
        let pds = snapshot.network().stage.account("alice").pds;
        snapshot.log_in(&["login", "--no-browser", &pds], approve("alice.test"));
        snapshot.log_in(&["login", "--no-browser", "rita.test"], approve("rita.test"));
    });
}

#[test]
fn pasted_and_foreign_urls() {
    // Rules L-20, L-25, L-26
    in_network("login_pasted", |snapshot| {
        snapshot.log_in(&[&LOGIN[..], &["--paste"]].concat(), |stage, url| {
            let garbage = ["garbage".to_owned(), url.to_string()];
            garbage.into_iter().chain(foreign_and_right(stage, url)).collect()
        });
        snapshot.log_in(&[&LOGIN[..], &["--paste", "--json"]].concat(), approve("alice.test"));
        snapshot.run(&["logout"]);
        snapshot.log_in(&LOGIN, foreign_and_right);
    });
}

#[test]
fn logins_that_the_user_does_not_finish() {
    // Rules L-20, L-25
    in_network("login_unfinished", |snapshot| {
        for json in [&[][..], &["--json"]] {
            let login = [&LOGIN[..], json].concat();
            snapshot.log_in(&login, |stage, url| vec![stage.deny(url)]);
            snapshot.log_in(&[&login[..], &["--timeout", "0.01"]].concat(), wait);
            let paste = [&login[..], &["--timeout", "0.01", "--paste"]].concat();
            snapshot.log_in(&paste, wait);
            // The user consents with another account.
            snapshot.log_in(&login, approve("carol.test"));
        }
    });
}

#[test]
fn logins_that_the_server_refuses() {
    // Rules L-25, L-26
    in_network("login_refused", |snapshot| {
        let fault = |snapshot: &Snapshot, fault: Fault| {
            snapshot.network().stage.clear_faults();
            snapshot.network().fault(fault.always());
        };
        for json in [&[][..], &["--json"]] {
            let login = [&LOGIN[..], json].concat();
            fault(snapshot, Fault::status(StatusCode::BAD_GATEWAY).path("/oauth/par"));
            snapshot.run(&login);
            let other = serde_json::json!({"sub": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"});
            fault(snapshot, Fault::merge(other).path("/oauth/token"));
            snapshot.log_in(&login, approve("alice.test"));
            fault(snapshot, Fault::status(StatusCode::BAD_GATEWAY).path("/oauth/token"));
            snapshot.log_in(&login, approve("alice.test"));
            snapshot.network().stage.clear_faults();
            snapshot.run(&[&["login", "--no-browser", "dave.test"], json].concat());
        }
        let stage = &snapshot.network().stage;
        let alice = stage.sandbox().server_of("alice.test").unwrap();
        stage.sandbox().set_habits(alice, Habits::pegasus());
        stage.sandbox().forget_clients(alice);
        snapshot.run(&LOGIN);
        snapshot.run(&[&LOGIN[..], &["--json"]].concat());
    });
}
