//! The command `atproto-oauth` as a process: its output, its callback listener and its sessions.

use std::fs::read_to_string;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, ChildStderr, Stdio};
use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::flows::{Seen, Stage};

/// The command, and the network that it runs in.
pub struct Command<'a> {
    /// The network.
    pub stage: &'a dyn Stage,
    /// Nameserver of the network.
    pub nameserver: SocketAddr,
    /// Path of the executable.
    pub binary: PathBuf,
}

impl Command<'_> {
    fn start(&self, sessions: &Path, arguments: &[&str]) -> process::Command {
        let mut command = self.process(arguments);
        command.arg("--sessions").arg(sessions);
        command
    }

    /// The command with the options of the network.
    pub(crate) fn process(&self, arguments: &[&str]) -> process::Command {
        let mut command = process::Command::new(&self.binary);
        // The configuration file of a developer has no effect.
        command.args(arguments).arg("--development").env("ATPROTO_OAUTH_CONFIG", "");
        command.args(["--plc-directory", self.stage.directory().as_str()]);
        command.args(["--nameserver", &self.nameserver.to_string()]);
        command
    }

    /// Runs `login` for alice, and passes the authorization URL to `browse`, which returns the callback
    /// URL. Returns the exit code, the output, and the page that the callback listener shows.
    fn log_in(
        &self,
        sessions: &Path,
        browse: impl FnOnce(&Url) -> String,
    ) -> (Option<i32>, String, String) {
        let handle = self.stage.account("alice").handle;
        self.log_in_with(sessions, &[&handle], browse)
    }

    fn log_in_with(
        &self,
        sessions: &Path,
        arguments: &[&str],
        browse: impl FnOnce(&Url) -> String,
    ) -> (Option<i32>, String, String) {
        let (mut login, url) = LoginProcess::begin(self, sessions, arguments);
        let page = get(&browse(&url));
        let (code, printed, told) = login.end();
        (code, printed + &told, page)
    }

    pub(crate) fn approve(&self, url: &Url) -> String {
        self.stage.approve(url, &self.stage.account("alice").handle)
    }

    pub(crate) fn call(&self, sessions: &Path, arguments: &[&str]) -> (Option<i32>, String) {
        let arguments: Vec<_> = ["call"].iter().chain(arguments).copied().collect();
        self.run(sessions, &arguments)
    }

    /// Runs a verb that uses no network, and returns its exit code and its output.
    fn run_offline(&self, sessions: &Path, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = process::Command::new(&self.binary);
        let output = command.args(arguments).arg("--sessions").arg(sessions).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }

    /// Runs the command, and returns its exit code and its output.
    pub(crate) fn run(&self, sessions: &Path, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.start(sessions, arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }
}

/// A running `login`, which has shown its URL.
struct LoginProcess {
    process: process::Child,
    lines: Lines<BufReader<ChildStderr>>,
    told: Vec<String>,
}

impl LoginProcess {
    /// Begins a login whose standard input is a pipe. Returns the authorization URL, too.
    fn begin(command: &Command<'_>, sessions: &Path, arguments: &[&str]) -> (Self, Url) {
        let arguments: Vec<_> =
            ["login", "--no-browser"].iter().chain(arguments).copied().collect();
        let mut process = command
            .start(sessions, &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut login = Self { process, lines, told: Vec::new() };
        let url = login.read_until(|line| line.starts_with("http") && !line.contains(' '));
        (login, url.parse().unwrap())
    }

    /// Reads standard error up to a line.
    fn read_until(&mut self, is_meant: impl Fn(&str) -> bool) -> String {
        let told = &mut self.told;
        let line = self.lines.by_ref().map(Result::unwrap).find(|line| {
            told.push(line.clone());
            is_meant(line)
        });
        line.unwrap_or_else(|| panic!("the login does not tell the line: {told:?}"))
    }

    fn paste(&mut self, line: &str) {
        writeln!(self.process.stdin.as_ref().unwrap(), "{line}").unwrap();
    }

    /// Returns the exit code, standard output, and all of standard error.
    fn end(&mut self) -> (Option<i32>, String, String) {
        let mut printed = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        self.told.extend(self.lines.by_ref().map(Result::unwrap));
        (self.process.wait().unwrap().code(), printed, self.told.join("\n"))
    }
}

/// The page that the callback listener shows.
fn get(url: &str) -> String {
    let page = ureq::get(url).config().http_status_as_error(false).build().call().unwrap();
    page.into_body().read_to_string().unwrap()
}

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

pub fn the_command_logs_in_and_calls(command: &Command<'_>) {
    let alice = command.stage.account("alice");
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("kept/sessions");
    let (code, printed, page) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains(&format!("Logged in as {}", alice.handle)), "{printed}");
    assert!(page.contains(&format!("You are logged in as {}", alice.handle)), "{page}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &str| {
            let path = folder.path().join(path);
            path.metadata().unwrap().permissions().mode() & 0o777
        };
        let modes = ["kept", "kept/sessions", "kept/sessions.key"].map(mode);
        assert_eq!(modes, [0o700, 0o700, 0o600]);
    }

    let (code, answer) = command.call(&session, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(0), "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["did"], alice.did);

    let repo = format!("repo={}", alice.did);
    let record = r#"record:={"$type":"com.example.note","text":"from the command"}"#;
    let write = ["com.atproto.repo.createRecord", &repo, "collection=com.example.note", record];
    let (code, answer) = command.call(&session, &write);
    assert_eq!(code, Some(0), "{answer}");

    let (code, answer) = command.call(&session, &["com.atproto.server.getSession", "x"]);
    assert_eq!(code, Some(2), "{answer}");
    let (code, answer) = command.call(&session, &["no-nsid"]);
    assert_eq!(code, Some(2), "{answer}");
    let (code, answer) = command.call(&session, &["com.atproto.repo.getRecord"]);
    assert_eq!(code, Some(1), "{answer}");
    let (code, answer) = command.call(&folder.path().join("none"), &["a.b.getC"]);
    assert_eq!(code, Some(6), "{answer}");
}

pub fn an_expired_token_is_refreshed_and_stored(command: &Command<'_>) {
    let issuer = command.stage.account("alice").issuer;
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("sessions");
    command.stage.set_access_token_lifetime(&issuer, Duration::from_secs(2));
    let (code, printed, _) = command.log_in(&session, |url| command.approve(url));
    command.stage.set_access_token_lifetime(&issuer, Duration::from_secs(3600));
    assert_eq!(code, Some(0), "{printed}");
    command.stage.clear_log();
    for _ in 0..2 {
        let (code, answer) = command.call(&session, &["com.atproto.server.getSession"]);
        assert_eq!(code, Some(0), "{answer}");
    }
    // One refresh, perhaps with a retry for a nonce: the second call uses the stored tokens.
    let log = command.stage.log(&issuer);
    let is_done = |seen: &&Seen| seen.path == "/oauth/token" && seen.status == Some(200);
    assert_eq!(log.iter().filter(is_done).count(), 1, "{log:?}");
}

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
    assert!(told.contains(&format!("{first}, {second}; name one of them")), "{told}");
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
    assert!(told.contains("no account is logged in; run `atproto-oauth login` first"), "{told}");
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

pub fn a_trace_shows_each_request_and_no_secret(command: &Command<'_>) {
    let handle = command.stage.account("alice").handle;
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let mut back = String::new();
    let (code, login, _) = command.log_in_with(&sessions, &[&handle, "--trace"], |url| {
        back = command.approve(url);
        back.clone()
    });
    assert_eq!(code, Some(0), "{login}");
    let export = ["sessions", "export", "--keep", "--output", "-"];
    let (_, exported) = command.run_offline(&sessions, &export);
    let exported: Value = serde_json::from_str(exported.lines().next().unwrap()).unwrap();
    let (code, refreshed) = command.run(&sessions, &["sessions", "refresh", "--trace"]);
    assert_eq!(code, Some(0), "{refreshed}");
    let (code, called) = command.run(&sessions, &["whoami", "--trace"]);
    assert_eq!(code, Some(0), "{called}");
    let (_, again) = command.run_offline(&sessions, &export);
    let again: Value = serde_json::from_str(again.lines().next().unwrap()).unwrap();

    let trace = [login, refreshed, called].concat();
    for part in [
        "/oauth/token, with a proof, form: ",
        "grant_type=authorization_code",
        "code=…",
        "grant_type=refresh_token",
        "refresh_token=…",
        "→ 200, with a nonce, JSON: access_token=…",
        "/xrpc/com.atproto.server.getSession, with a token, with a proof",
    ] {
        assert!(trace.contains(part), "{part}: {trace}");
    }
    let url = Url::parse(&back).unwrap();
    let code = url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let mut secrets = vec![code];
    for session in [&exported, &again] {
        secrets.push(session["access_token"].as_str().unwrap().to_owned());
        secrets.push(session["refresh_token"].as_str().unwrap().to_owned());
        secrets.push(session["dpop_key"]["d"].as_str().unwrap().to_owned());
    }
    for secret in secrets {
        assert!(secret.len() > 8 && !trace.contains(&secret), "{trace}");
    }
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
            // A session with an unknown curve is told, and the others are imported all the same.
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

pub fn a_file_is_uploaded(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path().join("sessions");
    let (code, printed, _) = command.log_in(&sessions, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    let file = folder.path().join("note.txt");
    std::fs::write(&file, vec![b'a'; 300_000]).unwrap();
    let file = file.to_str().unwrap();
    let (code, told) =
        command.run(&sessions, &["upload-blob", file, "--content-type", "text/plain"]);
    assert_eq!(code, Some(0), "{told}");
    let blob: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&blob["$type"], &blob["size"]), (&"blob".into(), &300_000.into()), "{told}");
    let (code, told) = command.run(&sessions, &["upload-blob", "no-such-file"]);
    assert_eq!(code, Some(3), "{told}");
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
        assert!(told.contains("did not return from the login within 1 second;"), "{told}");
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

pub fn the_option_for_a_network_on_this_machine_is_named(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("sessions");
    let run = |arguments: &[&str]| {
        let mut process = process::Command::new(&command.binary);
        let output = process.args(arguments).arg("--sessions").arg(&session).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let option = "a network on this machine needs the option --development";
    let pds = command.stage.account("alice").pds;
    for subject in ["alice.test", &pds, "did:web:localhost%3A2583"] {
        let (code, told) = run(&["login", "--no-browser", subject]);
        assert!(code != Some(0) && told.contains(option), "{subject}: {told}");
    }
    let (code, printed, _) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    let (code, told) = run(&["call", "com.atproto.server.getSession"]);
    assert!(code != Some(0) && told.contains(option), "{told}");

    // A mistake that the option does not mend.
    let (code, told) = run(&["login", "--no-browser", "alice"]);
    assert!(code == Some(2) && !told.contains("--development"), "{told}");
    let (code, told) = command.call(&session, &["com.atproto.repo.getRecord"]);
    assert!(code == Some(1) && !told.contains("--development"), "{told}");
}

pub fn a_request_that_fails_is_named(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let closed = command.stage.closed_port();
    let arguments = ["login", "--no-browser", closed.as_str()];
    let output = command.start(&folder.path().join("sessions"), &arguments).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(7), "{told}");
    let place = &closed[url::Position::BeforeHost..url::Position::AfterPort];
    assert!(told.contains(&format!("GET {place}/.well-known/oauth-")), "{told}");
}

/// Runs `login` in a network where the tokens are not for the account, and returns the message.
pub fn rejected_tokens(command: &Command<'_>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("sessions");
    let (code, printed, page) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(8), "{printed}");
    assert!(page.contains("Not logged in"), "{page}");
    assert_eq!(command.call(&session, &["a.b.getC"]).0, Some(6));
    printed
}

pub fn a_server_that_leaves_out_nonces_is_accepted(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("sessions");
    let (code, printed, _) = command.log_in(&session, |url| command.approve(url));
    assert_eq!(code, Some(0), "{printed}");
    let (code, answer) = command.call(&session, &["com.atproto.server.getSession"]);
    assert_eq!(code, Some(0), "{answer}");
}

/// Runs `login` with a store that is refused before the browser is needed. Returns the exit code and the
/// message.
fn refused(command: &Command<'_>, sessions: &Path) -> (Option<i32>, String) {
    command.run(sessions, &["login", "alice.test", "--no-browser"])
}

#[cfg(unix)]
pub fn the_store_is_opened_before_anything_is_sent(command: &Command<'_>) {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let pds = command.stage.account("alice").pds;
    command.stage.clear_log();

    // The folder, or one above it, is a file.
    let file = folder.path().join("file");
    std::fs::write(&file, "notes").unwrap();
    for sessions in [file.clone(), file.join("sessions")] {
        let (code, told) = refused(command, &sessions);
        assert_eq!(code, Some(3), "{told}");
    }
    assert_eq!(read_to_string(&file).unwrap(), "notes");

    // Rule K-10: others may read the key.
    let (sessions, key) = (folder.path().join("sessions"), folder.path().join("sessions.key"));
    let (code, told) = command.call(&sessions, &["a.b.getC"]);
    assert_eq!(code, Some(6), "{told}");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    for (code, told) in [refused(command, &sessions), command.call(&sessions, &["a.b.getC"])] {
        assert_eq!(code, Some(3), "{told}");
        assert!(told.contains("chmod 600") && told.contains("sessions.key"), "{told}");
    }
    assert!(command.stage.log(&pds).is_empty());
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
    assert_eq!(code, Some(6), "{told}");
    assert!(told.contains("warning: the session did:"), "{told}");
    // With its own key, the session is there.
    std::fs::rename(&first, &key).unwrap();
    let (code, answer) = command.call(&sessions, &[who]);
    assert_eq!(code, Some(0), "{answer}");
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

pub fn a_denied_login_has_its_own_exit_code(command: &Command<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("sessions");
    let (code, printed, page) = command.log_in(&session, |url| command.stage.deny(url));
    assert_eq!(code, Some(5), "{printed}");
    assert!(page.contains("Not logged in") && page.contains("access_denied"), "{page}");
}
