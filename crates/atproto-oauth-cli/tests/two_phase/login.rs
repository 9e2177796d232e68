//! `init` and `complete`: a login in two processes.

use std::collections::BTreeMap;
use std::fs;

use atproto_oauth_sandbox::Fault;
use atproto_oauth_tests::flows::two_phase::{self, Desk, url_of};
use atproto_oauth_tests::flows::{Sandboxed, Stage};
use serde_json::Value;

use crate::{run, run_in};

#[test]
fn a_login_in_two_processes_is_used_by_others() {
    run(two_phase::a_login_in_two_processes_is_used_by_others);
}

#[test]
fn a_login_in_two_processes_is_told_as_json() {
    run(two_phase::a_login_in_two_processes_is_told_as_json);
}

#[test]
fn a_login_may_begin_at_a_server_and_from_the_environment() {
    // Rule L-01
    run_in(|stage, command| {
        let desk = Desk::web(command);
        let pds = stage.account("alice").pds;
        let variables = [
            ("ATPROTO_OAUTH_CLIENT_ID", "https://app.client.dev/two-phase.json"),
            ("ATPROTO_OAUTH_REDIRECT_URI", "https://app.client.dev/callback.html"),
            ("ATPROTO_OAUTH_SCOPE", "atproto"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let begun = desk.run_with(&["init", &pds, "--state", "s"], &variables.into(), "");
        assert_eq!(begun.code, Some(0), "{begun:?}");
        let back = command.stage.approve(&url_of(&begun), "alice.test");
        let ended = desk.run(&["complete", &back, "--state", "s"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let scope = r#""scopes":"atproto""#;
        assert!(!desk.path("s").exists() && !ended.out.contains(scope));
    });
}

#[test]
fn a_denied_login_is_forgotten() {
    run(two_phase::a_denied_login_is_forgotten);
}

#[test]
fn a_tested_login_leaves_no_tokens() {
    run(two_phase::a_tested_login_leaves_no_tokens);
}

#[test]
fn a_tested_login_says_that_its_tokens_could_not_be_revoked() {
    // Rule L-02
    run_in(|stage, command| {
        let desk = Desk::loopback(command);
        let back = desk.approved();
        let down = Fault::status(http::StatusCode::BAD_GATEWAY).path("/oauth/revoke");
        stage.sandbox().fault(down.always());
        let ended = desk.run(&["complete", &back, "--format", "none"]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(7), ""), "{ended:?}");
        assert!(
            ended.told.contains("the login has worked, but its tokens could not be revoked"),
            "{ended:?}"
        );
        assert!(ended.told.contains("help: remove the access of this command"), "{ended:?}");
    });
}

#[test]
fn a_login_is_completed_once_and_by_its_own_url() {
    // Rule L-02
    run_in(|stage, command| {
        let desk = Desk::web(command);
        let back = desk.approved();

        // Another state, a text that is no URL, and another redirect URI leave the login as it is.
        let other = back.replace("state=", "state=x");
        for (url, code, why) in [
            (other.as_str(), 8, "still waits for its own URL"),
            ("https://app.client.dev/callback.html", 2, "copy the whole URL"),
            ("https://app.client.dev:x/", 2, "copy the whole URL"),
            ("", 2, "copy the whole URL"),
            (&back.replace("callback.html", "other.html"), 8, "you can try again"),
            (&back.replace("&code=", "&cod="), 5, "you can try again"),
        ] {
            let ended = desk.run(&["complete", url]);
            assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{url} {ended:?}");
            assert!(ended.told.contains(why), "{url} {ended:?}");
            assert!(desk.state().exists(), "{url}");
        }

        // So does a network that is down.
        let closed = Stage::closed_port(stage);
        let closed =
            format!("localhost={}", &closed[url::Position::BeforeHost..url::Position::AfterPort]);
        let ended = desk.run(&["complete", &back, "--connect-to", &closed]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(7), ""), "{ended:?}");
        assert!(ended.told.contains("you can try again"), "{ended:?}");

        let ended = desk.run_with(&["complete", "-"], &BTreeMap::new(), &back);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!desk.state().exists());
        let ended = desk.run(&["complete", &back]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(5), ""), "{ended:?}");
        assert!(ended.told.contains("no login waits in .atproto-oauth-state.json"), "{ended:?}");
    });
}

#[test]
fn a_callback_that_names_another_issuer_ends_the_login() {
    run_in(|stage, command| {
        let desk = Desk::web(command);
        let back = desk.approved();
        let mut url: url::Url = back.parse().unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let evil = |(name, value): &(String, String)| {
            let value = if name == "iss" { "https://evil.example.com" } else { value };
            (name.clone(), value.to_owned())
        };
        url.query_pairs_mut().clear().extend_pairs(pairs.iter().map(evil));
        stage.clear_log();
        let ended = desk.run(&["complete", url.as_str()]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(8), ""), "{ended:?}");
        assert!(!desk.state().exists());
        assert!(stage.sandbox().requests().all(|seen| seen.path() != "/oauth/token"));
    });
}

#[test]
fn a_state_that_may_be_needed_or_read_by_others_is_not_replaced() {
    // Rule L-01
    run_in(|_, command| {
        let desk = Desk::web(command);
        let back = desk.approved();
        let state = desk.state();
        let first = fs::read_to_string(&state).unwrap();

        // A login that has not expired stays, unless the user wants another one.
        let refused = desk.init(&[]);
        assert_eq!((refused.code, refused.out.as_str()), (Some(3), ""), "{refused:?}");
        assert!(refused.told.contains("--force"), "{refused:?}");
        assert_eq!(fs::read_to_string(&state).unwrap(), first);
        let begun = desk.init(&["--force"]);
        assert_eq!(begun.code, Some(0), "{begun:?}");
        let second = fs::read_to_string(&state).unwrap();
        assert_ne!(second, first);
        let ended = desk.run(&["complete", &back]);
        assert_eq!(ended.code, Some(8), "{ended:?}");

        // A login that has expired is replaced.
        let mut old: Value = serde_json::from_str(&second).unwrap();
        old["expires_at"] = 1.into();
        fs::write(&state, old.to_string()).unwrap();
        let expired = format!("?state={}&code=x&iss=x", old["state"].as_str().unwrap());
        let begun = desk.init(&[]);
        assert_eq!(begun.code, Some(0), "{begun:?}");
        fs::write(&state, old.to_string()).unwrap();
        let ended = desk.run(&["complete", &expired]);
        assert_eq!(ended.code, Some(5), "{ended:?}");
        assert!(!state.exists(), "an expired login is of no use");

        // Another file stays, also with the option.
        fs::write(&state, "notes").unwrap();
        #[cfg(unix)]
        fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let refused = desk.init(&["--force"]);
        assert_eq!(refused.code, Some(3), "{refused:?}");
        assert_eq!(fs::read_to_string(&state).unwrap(), "notes");
    });
}

#[test]
fn an_advice_names_verbs_and_options_of_a_login_in_two_processes() {
    // Rule L-25
    run_in(|stage, command| {
        let answer = |status: u16, error: &str| {
            let body = serde_json::json!({ "error": error }).to_string();
            let response = http::Response::builder().status(status);
            let response = response.header("content-type", "application/json");
            Fault::answer(response.body(body.into()).unwrap())
        };
        let fault = || answer(401, "invalid_client").path("/oauth/par").always();
        stage.sandbox().fault(fault());
        for (desk, help) in [
            (Desk::web(command), "the token_endpoint_auth_method none"),
            (
                Desk::loopback(command),
                "with a published client: `atproto-oauth init --client-id URL`",
            ),
        ] {
            let ended = desk.init(&[]);
            assert!(ended.told.contains(help) && !ended.told.contains("--client-key"), "{ended:?}");
        }
        stage.clear_faults();
        let desk = Desk::web(command);
        let back = desk.approved();
        stage.sandbox().fault(answer(400, "invalid_grant").path("/oauth/token").always());
        let ended = desk.run(&["complete", &back]);
        assert!(ended.told.contains("log in again with `atproto-oauth init`"), "{ended:?}");
    });
}
