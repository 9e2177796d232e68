//! Printed credentials, their file, and `credentials`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use atproto_oauth_sandbox::Fault;
use atproto_oauth_tests::flows::two_phase::{self, Desk, values};
use atproto_oauth_tests::flows::{Sandboxed, Stage};
use serde_json::Value;

use crate::{run, run_in};

const WHO: &str = "com.atproto.server.getSession";

#[test]
fn the_credentials_may_be_in_the_environment() {
    run(two_phase::the_credentials_may_be_in_the_environment);
}

#[test]
fn each_format_is_pinned() {
    // Rule L-02
    run_in(|_, command| {
        let desk = Desk::web(command);
        let account = command.stage.account("alice");
        for format in ["env", "dotenv", "json"] {
            let back = desk.approved();
            let ended = desk.run(&["complete", &back, "--format", format]);
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(!ended.told.contains("ATPROTO_OAUTH"), "{ended:?}");
            let (export, is_json) =
                (if format == "env" { "export " } else { "" }, format == "json");
            let printed: BTreeMap<String, String> = match is_json {
                true => values(&ended.out),
                false => lines(&ended.out, export),
            };
            let names: Vec<_> = printed.keys().map(String::as_str).collect();
            let expected = [
                "ATPROTO_OAUTH_CLIENT_ID",
                "ATPROTO_OAUTH_DID",
                "ATPROTO_OAUTH_DPOP_PRIVATE_JWK",
                "ATPROTO_OAUTH_PDS_ISSUER",
                "ATPROTO_OAUTH_REFRESH_TOKEN",
            ];
            assert_eq!(names, expected, "{format}");
            assert_eq!(printed["ATPROTO_OAUTH_DID"], account.did);
            assert_eq!(printed["ATPROTO_OAUTH_PDS_ISSUER"], account.pds);
            // The text apart from the random values.
            let mask = |text: &str| {
                ["ATPROTO_OAUTH_DPOP_PRIVATE_JWK", "ATPROTO_OAUTH_REFRESH_TOKEN"].iter().fold(
                    text.to_owned(),
                    |text, name| {
                        let value = &printed[*name];
                        let value =
                            if is_json { value.replace('"', "\\\"") } else { value.clone() };
                        text.replace(&value, "…")
                    },
                )
            };
            let (pds, did) = (&account.pds, &account.did);
            let client_id = &printed["ATPROTO_OAUTH_CLIENT_ID"];
            let pinned = match is_json {
                true => format!(
                    "{{\n  \"ATPROTO_OAUTH_CLIENT_ID\": \"{client_id}\",\n  \
                     \"ATPROTO_OAUTH_DID\": \"{did}\",\n  \
                     \"ATPROTO_OAUTH_DPOP_PRIVATE_JWK\": \"…\",\n  \
                     \"ATPROTO_OAUTH_PDS_ISSUER\": \"{pds}\",\n  \
                     \"ATPROTO_OAUTH_REFRESH_TOKEN\": \"…\"\n}}\n"
                ),
                false => format!(
                    "{export}ATPROTO_OAUTH_REFRESH_TOKEN='…'\n\
                     {export}ATPROTO_OAUTH_DPOP_PRIVATE_JWK='…'\n\
                     {export}ATPROTO_OAUTH_PDS_ISSUER='{pds}'\n\
                     {export}ATPROTO_OAUTH_DID='{did}'\n\
                     {export}ATPROTO_OAUTH_CLIENT_ID='{client_id}'\n"
                ),
            };
            assert_eq!(mask(&ended.out), pinned);
        }
    });
}

/// Reads `NAME='value'` lines whose values have no quotes in them.
fn lines(text: &str, export: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().map(|line| {
        let (name, value) = line.strip_prefix(export).unwrap().split_once('=').unwrap();
        (name.to_owned(), value.trim_matches('\'').to_owned())
    });
    pairs.collect()
}

#[test]
fn a_shell_passes_the_printed_credentials_on() {
    // Rules L-02, L-03
    run_in(|stage, command| {
        let desk = Desk::web(command);
        let back = desk.approved();
        fs::write(desk.path("url"), back).unwrap();
        let options = format!(
            "--development --plc-directory {} --nameserver {}",
            stage.directory(),
            stage.nameserver()
        );
        let script = format!(
            "login=$({0} complete {options} <url) && eval \"$login\" && \
             {0} credentials call {WHO} {options} --output next.env && . ./next.env && \
             {0} credentials call {WHO} {options} --output next.env",
            command.binary.display()
        );
        let mut shell = std::process::Command::new("sh");
        let output = shell.args(["-c", &script]).current_dir(&desk.folder).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let did = stage.account("alice").did;
        assert_eq!(String::from_utf8(output.stdout).unwrap().matches(&did).count(), 2);
    });
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_and_a_link_are_refused() {
    // Rules L-01, L-03
    use std::os::unix::fs::{PermissionsExt, symlink};

    run_in(|stage, command| {
        let desk = Desk::web(command);
        let back = desk.approved();
        let (state, target) = (desk.state(), desk.path("elsewhere"));
        let open = |path: &PathBuf| fs::set_permissions(path, PermissionsExt::from_mode(0o640));
        let close = |path: &PathBuf| fs::set_permissions(path, PermissionsExt::from_mode(0o600));
        let complete = ["complete", &back];
        let refused = |arguments: &[&str], why: &str| {
            let ended = desk.run(arguments);
            assert_eq!((ended.code, ended.out.as_str()), (Some(3), ""), "{arguments:?} {ended:?}");
            assert!(ended.told.contains(why), "{arguments:?} {ended:?}");
        };
        open(&state).unwrap();
        refused(&complete, "chmod 600");
        close(&state).unwrap();
        fs::rename(&state, &target).unwrap();
        symlink(&target, &state).unwrap();
        refused(&complete, "it is a link or no file");
        assert_eq!(desk.init(&["--force"]).code, Some(3));
        fs::remove_file(&state).unwrap();
        fs::rename(&target, &state).unwrap();

        // The place of the credentials is looked at before the code is sent.
        symlink("nowhere", desk.path("link")).unwrap();
        refused(&["complete", &back, "--output", "link"], "it is a link or no file");
        refused(&["complete", &back, "--output", "no/folder"], "can't access");
        stage.clear_log();
        let ended = desk.run(&["complete", &back, "--output", "login.env", "--format", "dotenv"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");

        let file = desk.path("login.env");
        let refresh = ["credentials", "refresh", "--file", "login.env"];
        open(&file).unwrap();
        refused(&refresh, "chmod 600");
        close(&file).unwrap();
        symlink("login.env", desk.path("other.env")).unwrap();
        refused(&["credentials", "refresh", "--file", "other.env"], "it is a link or no file");
        refused(&["credentials", "refresh", "--file", "missing"], "can't access");
        assert_eq!(desk.run(&refresh).code, Some(0));
    });
}

#[test]
fn wrong_usage_spends_nothing() {
    // Rule L-25
    run_in(|stage, command| {
        let desk = Desk::web(command);
        let none = BTreeMap::new();
        let not_set = desk.run(&["credentials", "refresh"]);
        assert_eq!(not_set.code, Some(2), "{not_set:?}");
        assert!(not_set.told.contains("ATPROTO_OAUTH_REFRESH_TOKEN is not set"), "{not_set:?}");
        desk.log_in("login.json", "json");
        let kept = values(&fs::read_to_string(desk.path("login.json")).unwrap());
        stage.clear_log();
        let mut cases = vec![
            (vec!["credentials", "refresh", "--format", "none"], kept.clone(), 2),
            (vec!["credentials", "call", "no-nsid"], kept.clone(), 2),
            (vec!["credentials", "call", WHO, "x"], kept.clone(), 2),
            (
                vec!["credentials", "refresh", "--file", "login.json", "--output", "x"],
                none.clone(),
                2,
            ),
            (vec!["complete", "x", "--format", "none", "--output", "x"], none.clone(), 2),
            (vec!["complete", "x", "--format", "odd"], none.clone(), 2),
            (vec!["init", "alice.test"], none.clone(), 2),
            (vec!["init", "alice"], none, 2),
        ];
        for (name, value) in [
            ("ATPROTO_OAUTH_DID", "did:x"),
            ("ATPROTO_OAUTH_PDS_ISSUER", "pds.example.com"),
            ("ATPROTO_OAUTH_DPOP_PRIVATE_JWK", "{}"),
            ("ATPROTO_OAUTH_CLIENT_ID", "x"),
        ] {
            let mut wrong = kept.clone();
            wrong.insert(name.to_owned(), value.to_owned());
            cases.push((vec!["credentials", "refresh"], wrong, 3));
        }
        for (arguments, variables, code) in cases {
            let ended = desk.run_with(&arguments, &variables, "");
            assert_eq!(
                (ended.code, ended.out.as_str()),
                (Some(code), ""),
                "{arguments:?} {ended:?}"
            );
            let token = &kept["ATPROTO_OAUTH_REFRESH_TOKEN"];
            assert!(!ended.told.contains(token), "{arguments:?} {ended:?}");
        }
        assert_eq!(stage.sandbox().requests().count(), 0);
        assert_eq!(desk.run(&["credentials", "refresh", "--file", "login.json"]).code, Some(0));
    });
}

#[test]
fn other_lines_of_the_credentials_file_stay() {
    // Rule L-03
    run_in(|_, command| {
        let desk = Desk::web(command);
        desk.log_in("login.env", "env");
        let path = desk.path("login.env");
        let printed = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("# of the program\nPORT=80\n{printed}LAST=1 # note\n")).unwrap();
        let ended = desk.run(&["credentials", "call", WHO, "--file", "login.env"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let text = fs::read_to_string(&path).unwrap();
        let (before, after) = (lines(&printed, "export "), text.replace("export ", ""));
        assert!(
            text.starts_with("# of the program\nPORT=80\nexport ATPROTO_OAUTH_REFRESH_TOKEN='")
        );
        assert!(text.ends_with("'\nLAST=1 # note\n"), "{text}");
        for (name, value) in &before {
            let is_there = after.contains(&format!("{name}='{value}'"));
            assert_eq!(is_there, name != "ATPROTO_OAUTH_REFRESH_TOKEN", "{name}");
        }
    });
}

#[test]
fn processes_with_the_same_file_spend_one_token_after_another() {
    // Rule L-03
    run_in(|stage, command| {
        let desk = Desk::web(command);
        desk.log_in("login.json", "json");
        stage.clear_log();
        let call = ["credentials", "call", WHO, "--file", "login.json"];
        let start = |_| desk.process(&call).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let running: Vec<_> = (0..4).map(start).map(Result::unwrap).collect();
        for process in running {
            let output = process.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        assert_eq!(desk.run(&call).code, Some(0));
    });
}

#[test]
fn a_lost_answer_says_that_the_token_may_be_spent() {
    run_in(|stage, command| {
        let desk = Desk::web(command);
        desk.log_in("login.json", "json");
        let before = fs::read_to_string(desk.path("login.json")).unwrap();
        // The first attempt is refused, because a new process knows no nonce.
        stage.sandbox().fault(Fault::lose_answer().path("/oauth/token").skip(1));
        let refresh = ["credentials", "refresh", "--file", "login.json"];
        let ended = desk.run(&refresh);
        assert_eq!((ended.code, ended.out.as_str()), (Some(7), ""), "{ended:?}");
        assert!(
            ended.told.contains("may be spent") && ended.told.contains("try once more"),
            "{ended:?}"
        );
        assert_eq!(fs::read_to_string(desk.path("login.json")).unwrap(), before);
        stage.clear_faults();
        let ended = desk.run(&refresh);
        assert_eq!(ended.code, Some(6), "{ended:?}");
        let ended = desk.run(&[&refresh[..], &["--json"]].concat());
        let error: Value = serde_json::from_str(ended.told.lines().last().unwrap()).unwrap();
        let error = &error["error"];
        assert_eq!((&error["code"], &error["kind"]), (&6.into(), &"session".into()), "{error}");
        assert_eq!(
            (&error["status"], &error["server_error"]),
            (&400.into(), &"invalid_grant".into())
        );

        // A server that can't be reached leaves the token as it is.
        desk.log_in("login.json", "json");
        let down = Fault::status(http::StatusCode::BAD_GATEWAY).path("/oauth/token");
        stage
            .sandbox()
            .fault(Fault::refuse().path("/.well-known/oauth-protected-resource").always());
        let ended = desk.run(&refresh);
        assert_eq!(ended.code, Some(7), "{ended:?}");
        assert!(ended.told.contains("the refresh token was not spent"), "{ended:?}");
        stage.clear_faults();
        stage.sandbox().fault(down);
        let ended = desk.run(&refresh);
        assert_eq!(ended.code, Some(7), "{ended:?}");
    });
}

#[test]
fn credentials_that_can_not_be_written_are_printed() {
    // Rule L-03
    run_in(|stage, command| {
        let desk = Desk::web(command);
        desk.log_in("login.json", "json");
        let file = desk.path("login.json");
        stage.sandbox().fault(Fault::delay(Duration::from_secs(2)).path("/oauth/token"));
        stage.clear_log();
        let refresh = ["credentials", "call", WHO, "--file", "login.json"];
        let mut process = desk.process(&refresh);
        let process = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // As soon as the token is on its way, a folder takes the place of the file.
        let start = Instant::now();
        let is_sent =
            || stage.sandbox().requests().any(|exchange| exchange.path() == "/oauth/token");
        while !is_sent() {
            assert!(start.elapsed() < Duration::from_secs(30));
            thread::sleep(Duration::from_millis(10));
        }
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        let output = process.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("the new credentials are on standard output"), "{told}");
        let printed = lines(&String::from_utf8(output.stdout).unwrap(), "export ");
        // The method was not called.
        assert!(stage.sandbox().requests().all(|seen| !seen.path().starts_with("/xrpc/")));
        assert_eq!(desk.run_with(&["credentials", "refresh"], &printed, "").code, Some(0));
    });
}

#[test]
fn an_account_elsewhere_is_refused_before_the_token_is_sent() {
    run_in(|stage, command| {
        let desk = Desk::web(command);
        desk.log_in("login.json", "json");
        let mut kept = values(&fs::read_to_string(desk.path("login.json")).unwrap());
        kept.insert("ATPROTO_OAUTH_DID".to_owned(), stage.account("bob").did);
        stage.clear_log();
        let ended = desk.run_with(&["credentials", "refresh"], &kept, "");
        assert_eq!((ended.code, ended.out.as_str()), (Some(8), ""), "{ended:?}");
        assert!(ended.told.contains("correct the credentials"), "{ended:?}");
        assert!(stage.sandbox().requests().all(|seen| seen.path() != "/oauth/token"));
    });
}
