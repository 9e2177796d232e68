//! Tests of `sandbox`: its output as text and as JSON, and a login with the command in its network.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failed test panics")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use atproto_dpop::{DpopKey, P256Keys, Proof};
use atproto_identity::Resolver;
use atproto_oauth_core::{CallbackParams, Client, ClientKey, Scopes};
use atproto_oauth_ureq::{Driver, StatelessClient};
use atproto_sansio::{Keys, System, SystemEntropy};
use serde_json::Value;
use url::{Position, Url};

/// Process of `atproto-oauth sandbox`, killed at the end of the test.
struct Sandbox {
    process: Child,
    out: BufReader<ChildStdout>,
}

impl Sandbox {
    fn start(arguments: &[&str]) -> Self {
        let mut process = command();
        process.arg("sandbox").args(arguments).stdout(Stdio::piped());
        let mut process = process.spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        Self { process, out }
    }

    /// Returns the next line of the output that `is_it` accepts.
    fn line(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        self.out.by_ref().lines().map(Result::unwrap).find(|line| is_it(line)).unwrap()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_atproto-oauth"))
}

/// Sends one request like a browser, and returns the response with its headers.
fn browse(url: &Url, method: &str, cookie: &str, form: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", url.port().unwrap())).unwrap();
    let (host, length) = (&url[Position::BeforeHost..Position::AfterPort], form.len());
    let target = &url[Position::BeforePath..];
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         cookie: {cookie}\r\ncontent-length: {length}\r\n\r\n{form}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Signs in with the account that the page proposes, and approves the request. Returns the URL to
/// which the browser is redirected.
fn allow(url: &Url) -> Url {
    let between = |text: &str, start: &str, end: &str| {
        let after = text.split_once(start).unwrap().1;
        after.split(end).next().unwrap().replace("&amp;", "&")
    };
    let page = browse(url, "GET", "", "");
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for name in ["client_id", "request_uri", "csrf", "identifier", "password"] {
        let field = between(&page, &format!(" name=\"{name}\""), ">");
        form.append_pair(name, &between(&field, "value=\"", "\""));
    }
    let form = form.append_pair("scope", "atproto").append_pair("decision", "approve").finish();
    let cookie = between(&page, "set-cookie: ", ";");
    let answer = browse(url, "POST", &cookie, &form);
    between(&answer, "location: ", "\r\n").parse().unwrap()
}

#[test]
fn the_json_output_is_enough_to_log_in() {
    let mut sandbox = Sandbox::start(&["--json"]);
    let network: Value = serde_json::from_str(&sandbox.line(|_| true)).unwrap();
    let text = |pointer: &str| network.pointer(pointer).unwrap().as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("sessions");
    let command = |arguments: &[&str]| {
        let mut command = command();
        command.args(arguments).arg("--development").args(["--plc-directory", text("/plc")]);
        command.args(["--nameserver", text("/nameserver"), "--sessions"]).arg(&session);
        let carol = format!("carol.test={}", text("/hosts/carol.test"));
        command.args(["--connect-to", &carol]);
        command
    };

    let mut login = command(&["login", "--no-browser", "--scope", "atproto", "carol.test"]);
    let mut login = login.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(login.stderr.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.find(|line| line.starts_with("http")).unwrap();
    let back = allow(&url.parse().unwrap());
    assert!(browse(&back, "GET", "", "").contains("You are logged in as carol.test."));
    let login = login.wait_with_output().unwrap();
    assert!(login.status.success());

    let output = command(&["call", "com.atproto.server.getSession"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["handle"], "carol.test");
    assert_eq!(answer["did"], text("/accounts/1/did"));
}

#[test]
fn the_text_output_has_commands_to_try_and_each_request() {
    let mut sandbox = Sandbox::start(&["--seed", "7"]);
    let line = sandbox.line(|line| line.contains("PLC directory"));
    let plc: Url =
        line.split_whitespace().find(|word| word.starts_with("http")).unwrap().parse().unwrap();
    let alice = sandbox.line(|line| line.contains("alice-pass"));
    let did = alice.split_whitespace().last().unwrap().to_owned();
    sandbox.line(|line| line.contains("login alice.test --sessions"));
    for setting in ["plain http", ".test", "PLC directory", "handles by DNS", "handles by HTTP"] {
        sandbox.line(|line| line.trim().starts_with(setting));
    }
    sandbox.line(|line| line.contains("--client URL=FILE"));
    sandbox.line(|line| line == "Requests and DNS lookups");
    assert!(
        browse(&format!("{plc}{did}").parse().unwrap(), "GET", "", "").contains("at://alice.test")
    );
    let seen = sandbox.line(|_| true);
    assert_eq!(seen.trim(), format!("GET   localhost:{}/{did}  200", plc.port().unwrap()));
}

#[test]
fn the_servers_behave_like_a_server_software() {
    for (like, is_accepted) in [("tranquil", true), ("reference", false)] {
        let mut sandbox = Sandbox::start(&["--json", "--like", like]);
        let network: Value = serde_json::from_str(&sandbox.line(|_| true)).unwrap();
        for name in ["pds", "entryway"] {
            let at = network[name].as_str().unwrap();
            let mut url: Url = at.parse().unwrap();
            url.set_path("/oauth/revoke");
            let key = DpopKey::generate(&P256Keys, &mut SystemEntropy);
            let proof = Proof {
                jti: [1; 16],
                htm: "POST",
                htu: url.as_str(),
                iat: System::now().as_secs(),
                nonce: None,
                ath: None,
            };
            let proof = key.prove(&proof, &P256Keys).unwrap().to_str().unwrap().to_owned();
            let headers =
                format!("x\r\ndpop: {proof}\r\ncontent-type: application/x-www-form-urlencoded");
            let answer = browse(&url, "POST", &headers, "client_id=http://localhost&token=x");
            assert_eq!(answer.contains("use_dpop_nonce"), !is_accepted, "{like} {name}: {answer}");
        }
    }
}

#[test]
fn a_confidential_client_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let (id, jwks_uri) = ("https://app.client.dev/client.json", "https://app.client.dev/jwks.json");
    let key = ClientKey::new(P256Keys.generate(&mut SystemEntropy)).unwrap();
    let build = |plc: Url| {
        Client::web(id, Scopes::parse("atproto").unwrap())
            .redirect_uri("https://app.client.dev/callback")
            .key(key.clone())
            .jwks_uri(jwks_uri.parse().unwrap())
            .resolver(Resolver::new().with_directories([plc]))
            .development()
            .build()
            .unwrap()
    };
    let client = build("http://localhost:1".parse().unwrap());
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let metadata = format!("{id}={}", file("client.json", &client.metadata().unwrap()));
    let jwks = format!("{jwks_uri}={}", file("jwks.json", &client.jwks()));
    let mut sandbox = Sandbox::start(&["--json", "--client", &metadata, "--client", &jwks]);
    let network: Value = serde_json::from_str(&sandbox.line(|_| true)).unwrap();
    let text = |pointer: &str| network.pointer(pointer).unwrap().as_str().unwrap();

    let driver = Driver::builder(System::new(P256Keys))
        .development()
        .nameserver(text("/nameserver").parse().unwrap());
    let client = StatelessClient::with_driver(build(text("/plc").parse().unwrap()), driver.build());
    let login = client.authorize("alice.test".parse().unwrap()).unwrap();
    let back = CallbackParams::parse(allow(&login.url).as_str()).unwrap();
    let session = client.callback(login.pending, back).unwrap().session;
    assert_eq!(session.client_id(), id);

    // A file that cannot be published is named.
    let missing = format!("{id}={}", folder.path().join("missing").display());
    let misplaced =
        format!("https://app.client.dev/other.json={}", file("c", r#"{"client_id":"x"}"#));
    let broken = format!("{id}={}", file("broken", "{"));
    for (option, expected) in [
        (missing, "can't access the client's file"),
        (misplaced, "it is to be published at https://app.client.dev/other.json"),
        (broken, "is not JSON"),
    ] {
        let output = command().args(["sandbox", "--json", "--client", &option]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_port_that_is_not_free_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = command().args(["sandbox", "--port", &port]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with(&format!("error: can't listen: port {port}: ")), "{told}");
}
