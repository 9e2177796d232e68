//! `login`: the prompt beside the listener, time-outs, earlier sessions.

use std::path::Path;

use serde_json::Value;
use url::Url;

use super::{Command, LoginProcess, get};

/// A copy of a callback URL with another `state`.
fn with_foreign_state(url: &str) -> String {
    let mut url: Url = url.parse().unwrap();
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let pairs = pairs.into_iter().map(|(name, value)| match name.as_str() {
        "state" => (name, "foreign".to_owned()),
        _ => (name, value),
    });
    let pairs: Vec<_> = pairs.collect();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url.into()
}

pub fn a_pasted_url_finishes_the_login(command: &Command<'_>) {
    // Rule L-20
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let alice = command.stage.account("alice");
    let arguments = [&alice.handle[..], "--paste", "--json"];
    let (mut login, url) = LoginProcess::begin(command, &sessions, &arguments);
    let back = command.approve(&url);
    command.stage.clear_log();
    for (line, told) in [
        ("garbage", "This is not the URL"),
        (url.as_str(), "This URL begins the login."),
        (&with_foreign_state(&back), "This URL belongs to another login."),
    ] {
        login.paste(line);
        login.read_until(|line| line.starts_with(told));
    }
    assert!(command.stage.log(&alice.issuer).is_empty());
    login.paste(&back);
    // The process ends, although its standard input stays open.
    let (code, printed, told) = login.end();
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains("code="), "{told}");
    let result: Value = serde_json::from_str(&printed).unwrap();
    let (code, shown) = command.run_offline(&sessions, &["sessions", "show", "--json"]);
    assert_eq!(code, Some(0), "{shown}");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let names: Vec<_> = result.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["did", "handle", "pds", "scopes", "session_id"]);
    assert_eq!(result["did"], alice.did);
    assert_eq!(result["handle"], alice.handle);
    for name in names {
        assert_eq!(result[name], shown[name]);
    }
}

pub fn the_browser_may_answer_while_the_prompt_reads(command: &Command<'_>) {
    // Rule L-20
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let alice = command.stage.account("alice");
    let (mut login, url) =
        LoginProcess::begin(command, &sessions, &[&alice.handle, "--paste", "--timeout", "5"]);
    let back = command.approve(&url);
    // The listener still waits after the end of the input.
    drop(login.process.stdin.take());
    login.read_until(|line| line.starts_with("Standard input has ended."));
    assert!(get(&with_foreign_state(&back)).contains("Not accepted"));
    assert!(get(&back).contains("You are logged in"));
    let (code, _, told) = login.end();
    assert_eq!(code, Some(0), "{told}");
}

pub fn a_login_times_out(command: &Command<'_>) {
    // Rule L-20
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let alice = command.stage.account("alice");
    for paste in [&[][..], &["--paste"]] {
        let arguments = [&[&alice.handle[..], "--timeout", "0.01"], paste].concat();
        let (mut login, _) = LoginProcess::begin(command, &sessions, &arguments);
        let (code, printed, told) = login.end();
        assert_eq!((code, printed.as_str()), (Some(5), ""), "{told}");
        assert!(
            told.contains("did not return from the login within 1 second\nhelp: log in again;"),
            "{told}"
        );
    }
    let (code, told) = command.run(&sessions, &["login", "--timeout", "0"]);
    assert_eq!(code, Some(2), "{told}");
}

/// Runs `login` with a server whose authorization requests expire at once.
pub fn a_login_ends_with_its_authorization_request(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let alice = command.stage.account("alice");
    let arguments = ["login", "--no-browser", &alice.handle, "--timeout", "10"];
    let (code, told) = command.run(&folder.path().join("sessions"), &arguments);
    assert_eq!(code, Some(5), "{told}");
}

pub fn an_earlier_session_is_told_and_stays(command: &Command<'_>) {
    // Rule L-20
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let alice = command.stage.account("alice");
    let issuer = Url::parse(&alice.issuer).unwrap();
    let log_in = |arguments: &[&str]| {
        let (mut login, url) = LoginProcess::begin(command, &sessions, arguments);
        let before = login.told.join("\n");
        get(&command.approve(&url));
        let (code, printed, told) = login.end();
        assert_eq!(code, Some(0), "{told}");
        let result: Value = serde_json::from_str(&printed).unwrap();
        (result["session_id"].as_str().unwrap().to_owned(), before, told)
    };
    let (first, _, told) = log_in(&[&alice.handle, "--json"]);
    assert!(!told.contains("logged in already"), "{told}");
    let stays = |id: &str| format!("session {id}, from");
    let (second, before, told) = log_in(&[&alice.handle, "--json", "--scope", "atproto"]);
    assert!(before.contains(&stays(&first)) && before.contains("It stays;"), "{before}");
    assert_eq!(told.matches("logged in already").count(), 1, "{told}");
    // The account is not known before the login.
    let (third, before, told) = log_in(&[issuer.as_str(), "--json"]);
    assert!(!before.contains("logged in already"), "{before}");
    assert!(told.contains(&stays(&first)) && told.contains(&stays(&second)), "{told}");

    // Sessions with other scopes are replaced, too.
    let (fourth, before, told) = log_in(&[&alice.did, "--json", "--replace"]);
    assert!(before.contains("It will be logged out"), "{before}");
    for id in [&first, &second, &third] {
        let line = format!("The earlier session {id}: Logged out of {}.", alice.handle);
        assert!(told.contains(&line), "{told}");
    }
    let (code, shown) = command.run_offline(&sessions, &["sessions", "list", "--json"]);
    assert_eq!(code, Some(0), "{shown}");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let left: Vec<_> = shown["sessions"].as_array().unwrap().iter().collect();
    assert_eq!(left.len(), 1, "{shown}");
    assert_eq!(left[0]["session_id"], fourth);
}

pub fn a_login_may_replace_the_earlier_ones(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let alice = command.stage.account("alice");
    for arguments in [&[&alice.handle[..]][..], &[&alice.handle], &[&alice.handle, "--replace"]] {
        let approve = |url: &Url| command.approve(url);
        let (code, printed, _) = command.log_in_with(&sessions, arguments, approve);
        assert_eq!(code, Some(0), "{printed}");
    }
    let (code, told) = command.run(&sessions, &["logout"]);
    assert_eq!((code, told), (Some(0), format!("Logged out of {}.\n", alice.handle)));
}

pub fn a_login_spends_nothing_if_the_store_breaks_meanwhile(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let issuer = command.stage.account("alice").issuer;
    command.stage.clear_log();
    let (code, printed, page) = command.log_in(&sessions, |url| {
        let back = command.approve(url);
        break_files(&sessions);
        back
    });
    assert_eq!(code, Some(3), "{printed}");
    assert!(page.contains("Not logged in"), "{page}");
    let log = command.stage.log(&issuer);
    assert!(log.iter().any(|seen| seen.path == "/oauth/par"), "{log:?}");
    assert!(log.iter().all(|seen| seen.path != "/oauth/token"), "{log:?}");
}

/// Replaces each file below a folder by a folder, so that it can't be read, written or removed.
fn break_files(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            break_files(&path);
        } else {
            std::fs::remove_file(&path).unwrap();
            std::fs::create_dir(&path).unwrap();
        }
    }
}

/// Rule C-50: the message of a server without loopback clients names the verb for other clients.
pub fn a_server_without_loopback_clients_is_told_with_the_way_out(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let handle = command.stage.account("alice").handle;
    let login = ["login", "--no-browser", &handle];
    let (code, told) = command.run(&folder.path().join("sessions"), &login);
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("may not support loopback clients"), "{told}");
    assert!(told.contains("`atproto-oauth init --client-id URL`"), "{told}");
}

/// The user has given no redirect URI, so that none of the arguments can be corrected.
pub fn a_request_that_a_server_calls_invalid_is_no_mistake_of_the_user(command: &Command<'_>) {
    // Rule L-25
    let folder = tempfile::tempdir().unwrap();
    let handle = command.stage.account("alice").handle;
    let login = ["login", "--no-browser", &handle];
    let (code, told) = command.run(&folder.path().join("sessions"), &login);
    assert!(code != Some(0) && told.contains("redirect_uri"), "{code:?} {told}");
    assert!(told.contains("`atproto-oauth init --client-id URL`"), "{told}");
}

pub fn a_denied_login_has_its_own_exit_code(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("sessions");
    let (code, printed, page) = command.log_in(&session, |url| command.stage.deny(url));
    assert_eq!(code, Some(5), "{printed}");
    assert!(page.contains("Not logged in") && page.contains("access_denied"), "{page}");
}
