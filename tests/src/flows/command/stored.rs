//! Stored sessions: several accounts, and sessions that come from elsewhere or go there.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use serde_json::Value;
use url::Url;

use super::Command;
use crate::flows::Seen;

pub fn several_accounts_are_kept_and_logged_out(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let accounts = ["alice", "rita"].map(|name| command.stage.account(name));
    for account in &accounts {
        // Each client id has its own scopes, and all are in one store.
        let scope = match account.handle == accounts[0].handle {
            true => "atproto transition:generic",
            false => "atproto",
        };
        let arguments = [&account.handle[..], "--scope", scope];
        let approve = |url: &Url| command.stage.approve(url, &account.handle);
        let (code, printed, _) = command.log_in_with(&sessions, &arguments, approve);
        assert_eq!(code, Some(0), "{printed}");
    }
    let [alice, rita] = &accounts;
    let who = "com.atproto.server.getSession";
    let (code, told) = command.call(&sessions, &[who]);
    assert_eq!(code, Some(2), "{told}");
    let (first, second) = (&alice.handle, &rita.handle);
    assert!(told.contains(&format!("{first}, {second}\nhelp: name one of them")), "{told}");
    for account in &accounts {
        for name in [&account.handle, &account.did] {
            let (code, answer) = command.call(&sessions, &[who, "--account", name]);
            assert_eq!(code, Some(0), "{answer}");
            assert!(answer.contains(&account.did), "{answer}");
        }
    }
    let (code, told) = command.call(&sessions, &[who, "--account", "nobody.test"]);
    assert_eq!(code, Some(6), "{told}");

    command.stage.clear_log();
    let (code, told) = command.run(&sessions, &["logout", &alice.handle]);
    assert_eq!((code, told), (Some(0), format!("Logged out of {}.\n", alice.handle)));
    let log = command.stage.log(&alice.issuer);
    let is_revoked = |seen: &Seen| seen.path == "/oauth/revoke" && seen.status == Some(200);
    assert!(log.iter().any(is_revoked), "{log:?}");
    let (code, told) = command.run(&sessions, &["logout", &alice.handle]);
    assert_eq!(code, Some(6), "{told}");
    // Only rita is left.
    let (code, answer) = command.call(&sessions, &[who]);
    assert!(code == Some(0) && answer.contains(&rita.did), "{answer}");
    let (code, told) = command.run(&sessions, &["logout", "--all"]);
    assert_eq!((code, told), (Some(0), format!("Logged out of {}.\n", rita.handle)));
    let (code, told) = command.call(&sessions, &[who]);
    assert_eq!(code, Some(6), "{told}");
    assert!(
        told.contains("no account is logged in\nhelp: log in with `atproto-oauth login`"),
        "{told}"
    );
}

pub fn sessions_are_shown_renewed_and_moved(command: &Command<'_>) {
    let alice = command.stage.account("alice");
    let folder = tempfile::tempdir().unwrap();
    let [here, there] = ["here", "there"].map(|name| folder.path().join(name));
    let (code, told) = command.run_offline(&here, &["sessions", "list"]);
    assert_eq!((code, &told[..]), (Some(0), "No account is logged in.\n"));
    let (code, printed, _) = command.log_in(&here, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");

    let (_, listed) = command.run_offline(&here, &["sessions", "list"]);
    let begins = format!("{}  {}  valid for ", alice.handle, alice.pds);
    assert!(listed.starts_with(&begins) && listed.lines().count() == 1, "{listed}");
    let (_, listed) = command.run_offline(&here, &["sessions", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let (_, shown) = command.run_offline(&here, &["sessions", "show", "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(listed["sessions"], serde_json::json!([shown]));
    let members: Vec<_> = shown.as_object().unwrap().keys().cloned().collect();
    let expected = [
        "can_refresh",
        "client_id",
        "created_at",
        "did",
        "expires_at",
        "handle",
        "issuer",
        "kid",
        "pds",
        "scopes",
        "session_id",
        "updated_at",
    ];
    assert_eq!(members, expected);
    let (_, shown) = command.run_offline(&here, &["sessions", "show", &alice.handle]);
    let names: Vec<_> = shown.lines().filter_map(|line| line.split(':').next()).collect();
    let expected = [
        "account",
        "DID",
        "session",
        "PDS",
        "issuer",
        "client",
        "client key",
        "scopes",
        "logged in",
        "renewed",
        "access token",
    ];
    assert_eq!(names, expected);

    let (code, told) = command.run(&here, &["whoami"]);
    let expected = format!("{} ({}) at {}\n", alice.handle, alice.did, alice.pds);
    assert_eq!((code, told), (Some(0), expected));
    let (_, told) = command.run(&here, &["whoami", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        told,
        serde_json::json!({"did": alice.did, "handle": alice.handle, "pds": alice.pds})
    );

    command.stage.clear_log();
    let (code, told) = command.run(&here, &["sessions", "refresh"]);
    assert!(code == Some(0) && told.contains("valid for"), "{told}");
    let log = command.stage.log(&alice.issuer);
    assert!(
        log.iter().any(|seen| seen.path == "/oauth/token" && seen.status == Some(200)),
        "{log:?}"
    );

    // The session moves to another store.
    let file = folder.path().join("alice.json");
    let file = file.to_str().unwrap();
    let (code, told) = command.run_offline(&here, &["sessions", "export", "--output", file]);
    assert!(code == Some(0) && told.starts_with(&format!("Wrote: {file}\n")), "{told}");
    let (code, told) = command.call(&here, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(6), "{told}");
    let (code, told) = command.run(&there, &["sessions", "import", file]);
    let expected = format!("The session of {} is stored.\n", alice.handle);
    assert_eq!((code, told), (Some(0), expected));
    let (code, told) = command.call(&there, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(0), "{told}");
    // A file is not overwritten, and what is no session is refused without a word of it.
    let (code, told) = command.run_offline(&there, &["sessions", "export", "--output", file]);
    assert!(code == Some(3) && told.contains("exists"), "{told}");
    std::fs::write(file, r#"{"refresh_token": "hunter2"}"#).unwrap();
    let (code, told) = command.run(&there, &["sessions", "import", file]);
    assert!(code == Some(3) && !told.contains("hunter2"), "{told}");
    let (code, told) = command.run(&there, &["sessions", "revoke"]);
    assert_eq!((code, told), (Some(0), format!("Logged out of {}.\n", alice.handle)));
}

/// Sessions in the forms of other libraries: each is made of the one before, whose refresh token it spends.
pub fn sessions_of_other_libraries_are_imported(command: &Command<'_>) {
    let alice = command.stage.account("alice");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.json");
    let path = file.to_str().unwrap();
    let mut sessions = folder.path().join("0");
    let (code, printed, _) = command.log_in(&sessions, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    for form in 0..4 {
        let export = ["sessions", "export", "--output", "-"];
        let (code, exported) = command.run_offline(&sessions, &export);
        assert_eq!(code, Some(0), "{exported}");
        let own: Value = serde_json::from_str(exported.lines().next().unwrap()).unwrap();
        let mut foreign = foreign(&own, form);
        if form == 0 {
            // A session whose key is not on its curve is told, and the others are imported all the same.
            let mut broken = foreign[&alice.did].clone();
            broken["dpopJwk"]["crv"] = "secp256k1".into();
            foreign["another"] = broken;
        }
        std::fs::write(&file, foreign.to_string()).unwrap();
        sessions = folder.path().join((form + 1).to_string());
        let (code, told) = command.run(&sessions, &["sessions", "import", path]);
        assert!(code == Some(2) && told.contains("--client-id"), "{told}");
        let client_id = own["client_id"].as_str().unwrap();
        let import = ["sessions", "import", path, "--client-id", client_id];
        let (code, told) = command.run(&sessions, &import);
        let stored = format!("The session of {} is stored.\n", alice.did);
        assert!(told.starts_with(&stored), "{told}");
        assert_eq!(code, Some(if form == 0 { 3 } else { 0 }), "{told}");
        assert_eq!(told.contains("secp256k1"), form == 0, "{told}");
        let (code, told) = command.call(&sessions, &["com.atproto.server.getSession"]);
        assert!(code == Some(0) && told.contains(&alice.did), "{told}");
    }
    // The token of the last file is spent.
    let client_id = "http://localhost?scope=atproto";
    let (code, told) =
        command.run(&sessions, &["sessions", "import", path, "--client-id", client_id]);
    assert!(code != Some(0) && told.contains(&alice.did), "{told}");
    let secret = read_to_string(&file).unwrap();
    let secret: Value = serde_json::from_str(&secret).unwrap();
    assert!(!told.contains(secret["refresh_token"].as_str().unwrap()), "{told}");
}

/// The store fails at the second of three sessions: the first is stored, the second is revoked, because
/// nobody has its tokens, and the token of the third is not spent.
pub fn an_import_ends_when_the_store_fails(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let [here, there] = ["here", "there"].map(|name| folder.path().join(name));
    let accounts = ["alice", "carol", "rita"].map(|name| command.stage.account(name));
    let mut known = Vec::new();
    let mut places = Vec::new();
    let mut sessions = Vec::new();
    for account in &accounts {
        let approve = |url: &Url| command.stage.approve(url, &account.handle);
        let (code, printed, _) = command.log_in_with(&here, &[&account.did], approve);
        assert_eq!(code, Some(0), "{printed}");
        // The folder of the account has the same name in every store.
        let folders = folders_of_records(&here);
        places.push(folders.iter().find(|place| !known.contains(*place)).unwrap().clone());
        known = folders;
    }
    for account in &accounts {
        let export = ["sessions", "export", &account.did, "--output", "-"];
        let (code, exported) = command.run_offline(&here, &export);
        assert_eq!(code, Some(0), "{exported}");
        let own: Value = serde_json::from_str(exported.lines().next().unwrap()).unwrap();
        sessions.push((foreign(&own, 1), own["client_id"].as_str().unwrap().to_owned()));
    }
    let all: Vec<_> = sessions.iter().map(|(session, _)| session.clone()).collect();
    let client_id = sessions[0].1.as_str();
    let import = |sessions: &[Value]| {
        let file = folder.path().join("sessions.json");
        std::fs::write(&file, Value::from(sessions).to_string()).unwrap();
        let import = ["sessions", "import", file.to_str().unwrap(), "--client-id", client_id];
        command.run(&there, &import)
    };

    // The folder of the second account can't be made, because a file has its name.
    let (code, told) = command.run_offline(&there, &["sessions", "list"]);
    assert_eq!(code, Some(0), "{told}");
    let blocked = there.join(&places[1]);
    std::fs::create_dir_all(blocked.parent().unwrap()).unwrap();
    std::fs::write(&blocked, "").unwrap();
    command.stage.clear_log();
    let (code, told) = import(&all);
    let [alice, carol, rita] = &accounts;
    assert_eq!(code, Some(3), "{told}");
    assert!(told.starts_with(&format!("The session of {} is stored.\n", alice.did)), "{told}");
    assert!(told.contains(&format!("{} could not be stored and is revoked", carol.did)), "{told}");
    assert!(!told.contains(&rita.did) && !told.contains("revocation failed"), "{told}");
    let count = |issuer: &str, path: &str| {
        let is_meant = |seen: &&Seen| seen.path == path && seen.status == Some(200);
        command.stage.log(issuer).iter().filter(is_meant).count()
    };
    assert_eq!(alice.issuer, carol.issuer);
    assert_eq!(count(&alice.issuer, "/oauth/token"), 2);
    assert!(count(&alice.issuer, "/oauth/revoke") > 0);
    // In some networks, all three have one authorization server, whose two requests were those of alice and carol.
    let others = if rita.issuer == alice.issuer { 2 } else { 0 };
    assert_eq!(count(&rita.issuer, "/oauth/token"), others);

    // With a whole store, the third session is imported as it was, and the first one is there.
    std::fs::remove_file(&blocked).unwrap();
    let (code, told) = import(&all[2..]);
    assert_eq!((code, told), (Some(0), format!("The session of {} is stored.\n", rita.did)));
    for account in [alice, rita] {
        let who = ["com.atproto.server.getSession", "--account", &account.did];
        let (code, told) = command.call(&there, &who);
        assert!(code == Some(0) && told.contains(&account.did), "{told}");
    }
    let (code, told) = import(&all[1..2]);
    assert!(code != Some(0) && told.contains(&carol.did), "{told}");
}

/// The folders of the accounts in a store of files, relative to its own folder.
fn folders_of_records(store: &Path) -> Vec<PathBuf> {
    let below = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    // The segments of a key: all sessions, two digits, the account.
    let kinds = below(&store.join("records"));
    let accounts = kinds.iter().flat_map(|kind| below(kind)).flat_map(|digits| below(&digits));
    accounts.map(|path| path.strip_prefix(store).unwrap().to_owned()).collect()
}

/// A session of this project in the form of another library.
fn foreign(own: &Value, form: usize) -> Value {
    let token_set = serde_json::json!({
        "iss": own["issuer"], "sub": own["did"], "aud": own["pds"], "scope": own["scopes"],
        "access_token": own["access_token"], "refresh_token": own["refresh_token"], "token_type": "DPoP",
    });
    let did = own["did"].as_str().unwrap();
    match form {
        0 => serde_json::json!({ did: {"dpopJwk": own["dpop_key"], "tokenSet": token_set} }),
        1 => serde_json::json!({"dpop_key": own["dpop_key"], "token_set": token_set}),
        2 => serde_json::json!({ format!("{did}_1"): {
            "account_did": did, "session_id": "1", "host_url": own["pds"],
            "dpop_data": {"dpop_key": own["dpop_key"]}, "token_set": token_set,
        }}),
        _ => serde_json::json!({
            "did": did, "pds_url": own["pds"], "refresh_token": own["refresh_token"],
            "access_token": own["access_token"], "dpop_private_key_pem": own["dpop_key"].to_string(),
        }),
    }
}

pub fn a_session_of_another_key_is_an_error_and_stays(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let (sessions, key) = (folder.path().join("sessions"), folder.path().join("sessions.key"));
    let (code, printed, _) = command.log_in(&sessions, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    let first = folder.path().join("first.key");
    std::fs::rename(&key, &first).unwrap();
    let who = "com.atproto.server.getSession";
    let (code, told) = command.call(&sessions, &[who]);
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("is not in the file") && !key.exists(), "{told}");
    // With its own key, the session is there.
    std::fs::rename(&first, &key).unwrap();
    let (code, answer) = command.call(&sessions, &[who]);
    assert_eq!(code, Some(0), "{answer}");
}

/// The verbs that use a session tell their results, and their failures, as JSON.
pub fn results_of_sessions_are_json(command: &Command<'_>) {
    // Rules L-25, L-26
    let alice = command.stage.account("alice");
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let (code, printed, _) = command.log_in(&sessions, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    // Exit code, and the members `names` of the document.
    let run = |arguments: &[&str], names: &[&str]| {
        let mut process = command.start(&sessions, &[arguments, &["--json"]].concat());
        let output = process.output().unwrap();
        let (out, err) = (output.stdout, String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {err}");
        let json: Value = serde_json::from_slice(&out).unwrap();
        let found: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        assert_eq!(found, names, "{arguments:?}");
        json
    };
    let who = ["call", "com.atproto.server.getSession"];
    let reply = run(&who, &["body", "encoding", "headers", "status"]);
    assert_eq!((&reply["status"], &reply["encoding"]), (&200.into(), &"json".into()), "{reply}");
    assert_eq!(reply["body"]["did"], alice.did.as_str());
    let headers = reply["headers"].as_object().unwrap();
    assert!(headers.contains_key("content-type") && !headers.contains_key("dpop-nonce"), "{reply}");

    let note = folder.path().join("note.txt");
    std::fs::write(&note, "a note").unwrap();
    let upload = ["upload-blob", note.to_str().unwrap(), "--content-type", "text/plain"];
    let blob = run(&upload, &["$type", "mimeType", "ref", "size"]);
    assert_eq!(blob["size"], 6);

    let file = folder.path().join("alice.json");
    let file = file.to_str().unwrap();
    let described = ["did", "file", "handle", "session_id"];
    let mut process = command.process(&["sessions", "export", "--output", file, "--json"]);
    let output = process.arg("--sessions").arg(&sessions).output().unwrap();
    // `export` sends no request, so it has no options of the network.
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    let error: Value = serde_json::from_str(&error).unwrap();
    assert_eq!((&error["error"]["code"], &error["error"]["kind"]), (&2.into(), &"input".into()));
    let export = ["sessions", "export", "--output", file, "--json"];
    let (code, told) = command.run_offline(&sessions, &export);
    let exported: Value =
        serde_json::Deserializer::from_str(&told).into_iter().next().unwrap().unwrap();
    let found: Vec<_> = exported.as_object().unwrap().keys().cloned().collect();
    assert_eq!((code, &found[..]), (Some(0), &described.map(str::to_owned)[..]), "{told}");

    let imported = run(&["sessions", "import", file], &["sessions"]);
    assert_eq!(imported["sessions"][0]["did"], alice.did.as_str());
    assert_eq!(imported["sessions"][0]["error"], Value::Null);
    let ended = run(&["logout"], &["sessions"]);
    assert_eq!(ended["sessions"][0]["did"], alice.did.as_str());
    assert_eq!(ended["sessions"][0]["revoked"], true);

    // A call that the server refuses
    let (code, printed, _) = command.log_in(&sessions, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    let refused = ["call", "com.atproto.repo.getRecord", "--json"];
    let output = command.start(&sessions, &refused).output().unwrap();
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]), "{error}");
    let error = &error["error"];
    assert_eq!((&error["kind"], &error["status"]), (&"resource".into(), &400.into()), "{error}");
    assert_eq!(error["server_error"], "InvalidRequest");
}

/// A result that can't be printed leaves no session in two places, and does not keep the other sessions from
/// being logged out.
#[cfg(target_os = "linux")]
pub fn a_result_that_is_not_printed_leaves_no_session_behind(command: &Command<'_>) {
    // Rules L-21, L-25
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let file = folder.path().join("session.json");
    let path = file.to_str().unwrap();
    let log_in = || {
        let (code, printed, _) = command.log_in(&sessions, |url| command.approve(url));
        assert_eq!(code, Some(0), "{printed}");
    };
    let number = || {
        let (_, listed) = command.run_offline(&sessions, &["sessions", "list", "--json"]);
        let listed: Value = serde_json::from_str(&listed).unwrap();
        listed["sessions"].as_array().unwrap().len()
    };
    let to_full = |arguments: &[&str]| {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut process = super::isolated(&command.binary);
        process.args(arguments).arg("--sessions").arg(&sessions).stdout(full);
        let output = process.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(3) && told.contains("can't write to stdout"),
            "{told}"
        );
        told
    };
    log_in();
    for format in [&[][..], &["--json"]] {
        let told = to_full(&[&["sessions", "export", "--output", path][..], format].concat());
        assert!(told.contains("and no longer here") && number() == 0, "{told}");
        let (code, told) = command.run(&sessions, &["sessions", "import", path]);
        assert_eq!((code, number()), (Some(0), 1), "{told}");
        std::fs::remove_file(&file).unwrap();
    }
    // The session was printed nowhere, so it stays.
    to_full(&["sessions", "export", "--output", "-"]);
    let told = to_full(&["sessions", "export", "--output", path, "--keep"]);
    assert!(told.contains("and here, too") && number() == 1, "{told}");
    log_in();
    let told = to_full(&["logout", "--all", "--development"]);
    assert_eq!(number(), 0, "{told}");
}

/// A logout whose revocation fails at the server. Without the option for a network on this machine, nothing can
/// be sent, so the session stays.
pub fn a_revocation_that_failed_is_told_once(command: &Command<'_>) {
    // Rule L-25
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let (code, printed, _) = command.log_in(&sessions, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    let (code, told) = command.run_offline(&sessions, &["logout", "--all"]);
    assert!(code == Some(2) && told.contains("help: give --development"), "{code:?} {told}");
    let (_, listed) = command.run_offline(&sessions, &["sessions", "list"]);
    assert!(listed.contains(&command.stage.account("alice").handle), "{listed}");

    let output = command.start(&sessions, &["logout", "--all", "--json"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.lines().count()), (Some(7), 1), "{told}");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["sessions"][0]["revoked"], false, "{result}");
    assert!(told.contains("is removed here, but its tokens stay valid"), "{told}");
}
