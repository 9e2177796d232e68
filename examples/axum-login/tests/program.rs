//! The program in a network on loopback sockets: one or two instances, and browsers with their cookies.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failed test panics")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{fs, time::Duration};

use atproto_oauth_sandbox::Served;
use ureq::http::Response;
use ureq::{Agent, Body};
use url::{Position, Url};

const ALICE: &str = "alice.test";
const SITE: &str = "https://app.client.dev";

/// A running program, killed at the end of the test.
struct Instance {
    process: Child,
    address: String,
}

impl Instance {
    fn start(network: &Served, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let names = network.names();
        let mut process = Command::new(env!("CARGO_BIN_EXE_axum-login"))
            .current_dir(folder)
            .env("LISTEN", "127.0.0.1:0")
            .env("PLC_DIRECTORY", &names.plc)
            .env("DNS_OVER_HTTPS", format!("{}/dns-query", names.doh))
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let line = BufReader::new(process.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let address = line.split(' ').next().unwrap().to_owned();
        Self { process, address }
    }

    /// Starts an instance behind the public URL, and publishes the documents that it serves there.
    fn public(network: &Served, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let variables = [&[("PUBLIC_URL", SITE)], variables].concat();
        let instance = Self::start(network, folder, &variables);
        for path in ["/client-metadata.json", "/jwks.json"] {
            let text = text(Browser::default().get(&instance, path));
            network.sandbox().publish_json(&format!("{SITE}{path}"), &text);
        }
        instance
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A browser, with its cookies of the application.
#[derive(Default)]
struct Browser {
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn get(&mut self, at: &Instance, path: &str) -> Response<Body> {
        let url = format!("{}{path}", at.address);
        self.keep(agent().get(url).header("cookie", self.header()).call().unwrap())
    }

    fn post(&mut self, at: &Instance, path: &str, form: &[(&str, &str)]) -> Response<Body> {
        let request = agent().post(format!("{}{path}", at.address));
        let request = request.header("cookie", self.header());
        self.keep(request.send_form(form.iter().copied()).unwrap())
    }

    fn header(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, response: Response<Body>) -> Response<Body> {
        for cookie in response.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("SameSite=Lax") || cookie.contains("Max-Age=0"), "{cookie}");
            let (name, rest) = cookie.split_once('=').unwrap();
            match cookie.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => {
                    let value = rest.split(';').next().unwrap();
                    self.cookies.insert(name.to_owned(), value.to_owned())
                }
            };
        }
        response
    }

    /// Begins a login, and lets the user consent. Returns the path of the callback.
    fn begin(&mut self, network: &Served, at: &Instance) -> String {
        let begun = self.post(at, "/login", &[("handle", ALICE)]);
        assert_eq!(begun.status(), 303);
        let url = begun.headers()["location"].to_str().unwrap().parse().unwrap();
        let callback: Url = network.sandbox().approve(&url, ALICE).unwrap().parse().unwrap();
        callback[Position::BeforePath..].to_owned()
    }

    fn log_in(&mut self, network: &Served, at: &Instance) {
        let callback = self.begin(network, at);
        let finished = self.get(at, &callback);
        assert_eq!(finished.status(), 303, "{}", text(finished));
    }

    /// Whether the page of `at` shows Alice; if not, it has the form to log in.
    fn is_logged_in(&mut self, network: &Served, at: &Instance) -> bool {
        let page = text(self.get(at, "/"));
        let did = network.sandbox().did(ALICE).unwrap().to_owned();
        let is_logged_in = page.contains(&format!("Logged in as {ALICE}, {did}"));
        assert_ne!(is_logged_in, page.contains("action=/login"), "{page}");
        is_logged_in
    }
}

fn agent() -> Agent {
    Agent::config_builder().max_redirects(0).http_status_as_error(false).build().into()
}

fn text(mut response: Response<Body>) -> String {
    response.body_mut().read_to_string().unwrap()
}

/// Whether the refresh token that the server gave last can still be used.
fn last_session_lives(network: &Served) -> bool {
    let sandbox = network.sandbox();
    let pds = sandbox.find_server(&network.names().pds).unwrap();
    sandbox.is_current(pds, &last_refresh_token(&sandbox))
}

fn last_refresh_token(sandbox: &atproto_oauth_sandbox::Sandbox) -> String {
    let tokens = sandbox.requests().filter(|request| request.path() == "/oauth/token");
    let answers = tokens.map(|request| String::from_utf8_lossy(&request.answer_body).into_owned());
    let last = answers.filter(|answer| answer.contains("refresh_token")).last().unwrap();
    let (_, token) = last.split_once(r#""refresh_token":""#).unwrap();
    token.split('"').next().unwrap().to_owned()
}

/// Logs in over two instances that share a store, restarts them, and logs out.
fn lives_and_ends(variables: &[(&str, &str)]) {
    let (network, folder) = (Served::start(1).unwrap(), tempfile::tempdir().unwrap());
    let one = Instance::public(&network, folder.path(), variables);
    let two = Instance::public(&network, folder.path(), variables);

    // Another browser can't finish the login, and does not use it up.
    let mut alice = Browser::default();
    let callback = alice.begin(&network, &one);
    let mut victim = Browser::default();
    victim.begin(&network, &two);
    let refused = victim.get(&two, &callback);
    assert_eq!(refused.status(), 400);
    assert!(!victim.is_logged_in(&network, &one));
    assert_eq!(alice.get(&two, &callback).status(), 303);
    assert!(alice.is_logged_in(&network, &one));
    assert!(last_session_lives(&network));

    drop((one, two));
    let again = Instance::public(&network, folder.path(), variables);
    assert!(alice.is_logged_in(&network, &again));
    let signed = alice.cookies["session"].clone();
    assert_eq!(alice.post(&again, "/logout", &[]).status(), 303);
    assert!(!alice.is_logged_in(&network, &again));
    assert!(!last_session_lives(&network));
    // A copy of the cookie names a session that has ended.
    alice.cookies.insert("session".to_owned(), signed);
    assert!(!alice.is_logged_in(&network, &again));
}

#[test]
fn a_login_lives_in_sqlite() {
    lives_and_ends(&[]);
}

#[test]
fn a_login_lives_in_postgres() {
    match std::env::var("ATPROTO_STORE_POSTGRES") {
        Ok(url) if cfg!(feature = "postgres") => lives_and_ends(&[("DATABASE_URL", &url)]),
        _ => println!("skipped: needs the feature `postgres`, and ATPROTO_STORE_POSTGRES"),
    }
}

#[test]
fn the_cookie_is_signed_and_the_store_is_sealed() {
    let (network, folder) = (Served::start(1).unwrap(), tempfile::tempdir().unwrap());
    let app = Instance::public(&network, folder.path(), &[]);
    let mut alice = Browser::default();
    alice.log_in(&network, &app);
    assert!(alice.is_logged_in(&network, &app));

    let signed = &alice.cookies["session"];
    let (_, unsigned) = signed.split_at(signed.find("did").unwrap());
    // One signature in 64 begins with an x.
    let first = if signed.starts_with('x') { 'y' } else { 'x' };
    let other = format!("{first}{}", &signed[1..]);
    for forged in [unsigned, &other] {
        let cookies = BTreeMap::from([("session".to_owned(), forged.to_owned())]);
        assert!(!Browser { cookies }.is_logged_in(&network, &app));
    }
    let token = last_refresh_token(&network.sandbox());
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
    }
}

#[test]
fn a_session_that_has_ended_leads_to_the_form() {
    let (network, folder) = (Served::start(1).unwrap(), tempfile::tempdir().unwrap());
    let pds = network.sandbox().find_server(&network.names().pds).unwrap();
    // Each request renews the session.
    network.sandbox().set_access_token_lifetime(pds, Duration::from_secs(1));
    // Without a public URL, the program is a client for development.
    let app = Instance::start(&network, folder.path(), &[]);
    let mut alice = Browser::default();
    alice.log_in(&network, &app);
    assert!(alice.is_logged_in(&network, &app));
    network.sandbox().end_sessions(ALICE);
    assert!(!alice.is_logged_in(&network, &app));
    alice.log_in(&network, &app);
    assert!(alice.is_logged_in(&network, &app));
}

#[test]
fn a_handle_that_is_none_is_refused() {
    let (network, folder) = (Served::start(1).unwrap(), tempfile::tempdir().unwrap());
    let app = Instance::start(&network, folder.path(), &[]);
    for handle in ["<b>", "nobody.test", ""] {
        let refused = Browser::default().post(&app, "/login", &[("handle", handle)]);
        assert_eq!(refused.status(), 400);
        assert!(refused.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    }
}
