//! Output of the demo: for each step its requests, their responses, and an explanation.

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use atproto_oauth_sandbox::{Dns, Exchange, Seen, Served};
use serde_json::Value;
use url::Url;

/// Prints the steps of the demo, and each request and DNS lookup of the network's log once.
pub(crate) struct Report<'a> {
    network: &'a Served,
    printed: Vec<usize>,
    steps: usize,
}

const TITLE: Style = Style::new().bold();
const STEP: Style = AnsiColor::Cyan.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const REJECTED: Style = AnsiColor::Yellow.on_default();
const QUIET: Style = Style::new().dimmed();

/// Width of the text in columns.
const WIDTH: usize = 96;
/// Width in columns of a path or of a name that is looked up.
const TARGET: usize = 43;

impl<'a> Report<'a> {
    pub(crate) fn new(network: &'a Served) -> Self {
        Self { network, printed: Vec::new(), steps: 0 }
    }

    pub(crate) fn title(&self) {
        print_line(format_args!(
            "\n{TITLE}A login with OAuth, from the handle to the revoked tokens{TITLE:#}"
        ));
        print_line(format_args!(
            "{QUIET}The network runs in this process, on loopback ports: a nameserver, the PLC \
             directory,\nand Alice's server. It is as strict as the reference server.{QUIET:#}"
        ));
    }

    pub(crate) fn step(&mut self, title: &str) {
        self.steps += 1;
        print_line(format_args!("\n{STEP}{}  {title}{STEP:#}", self.steps));
    }

    /// Prints all requests and lookups that were not printed yet.
    pub(crate) fn requests(&mut self) {
        self.requests_to(|_| true);
    }

    /// Prints the requests to paths that `is_chosen` accepts, and all DNS lookups, unless they were
    /// printed before.
    pub(crate) fn requests_to(&mut self, is_chosen: impl Fn(&str) -> bool) {
        let sandbox = self.network.sandbox();
        for (at, seen) in sandbox.log().iter().enumerate() {
            let is_new = !self.printed.contains(&at);
            match seen {
                Seen::Lookup { name, answer, .. } if is_new => print_lookup(name, answer),
                Seen::Request(exchange) if is_new && is_chosen(exchange.path()) => {
                    self.print_request(exchange);
                }
                _ => continue,
            }
            self.printed.push(at);
        }
    }

    fn print_request(&self, exchange: &Exchange) {
        let origin = exchange.url.origin().ascii_serialization();
        let host = if origin == self.network.names().plc { "PLC" } else { "server" };
        let answer = exchange.error().unwrap_or_else(|| summary(exchange));
        let proof = match exchange.proof() {
            Some(proof) if proof.claim("nonce").is_some() => "proof with nonce",
            Some(_) => "proof without nonce",
            None => "",
        };
        let status = exchange.status.unwrap_or_default();
        let style = if status < 300 { GOOD } else { REJECTED };
        let path = shortened(exchange.path());
        let method = exchange.method.as_str();
        let answer = if proof.is_empty() { answer } else { format!("{answer:<18}") };
        print_line(format_args!(
            "   {host:<8}{method:<6}{path:<TARGET$}{style}{status}{style:#}  \
             {answer}{QUIET}{proof}{QUIET:#}"
        ));
    }

    /// Prints a URL that the browser visits, and its query parameters; the code is left out.
    pub(crate) fn url(&self, what: &str, url: &str) {
        let Ok(url) = Url::parse(url) else { return };
        self.shows(what, url.as_str().split('?').next().unwrap_or_default());
        for (name, value) in url.query_pairs() {
            let room = WIDTH - 30;
            let shown: String = match value.chars().count() > room {
                _ if name == "code" => "…".to_owned(),
                true => value.chars().take(room - 1).chain(['…']).collect(),
                false => value.into_owned(),
            };
            print_line(format_args!("   {:<14}{QUIET}{name:<13}{QUIET:#}{shown}", ""));
        }
    }

    /// Prints a label and its value.
    pub(crate) fn shows(&self, what: &str, text: &str) {
        print_line(format_args!("   {what:<14}{text}"));
    }

    /// Prints the explanation of a step.
    pub(crate) fn explain(&self, text: &str) {
        for line in wrapped(text, WIDTH - 3) {
            print_line(format_args!("   {QUIET}{line}{QUIET:#}"));
        }
    }

    pub(crate) fn end(&self, time: Duration) {
        let requests = self.network.sandbox().requests().count();
        print_line(format_args!(
            "\n{TITLE}Done{TITLE:#} in {} ms, {requests} requests.",
            time.as_millis()
        ));
        print_line(format_args!(
            "{QUIET}Next: `atproto-oauth sandbox` runs such a network to test your own client,\nand \
             `atproto-oauth login` logs in to a real account.{QUIET:#}\n"
        ));
    }
}

/// Prints a line in colours, or none if the reader has gone: the demo ends its login all the same.
fn print_line(text: impl Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

fn print_lookup(name: &str, answer: &Dns) {
    let found = match answer {
        Dns::Records(records) => records.join(", "),
        _ => "nothing".to_owned(),
    };
    print_line(format_args!("   {:<8}{:<6}{name:<TARGET$}{GOOD}{found}{GOOD:#}", "DNS", "TXT"));
}

/// Returns the part of a response that the next step uses.
fn summary(exchange: &Exchange) -> String {
    let answer: Value = serde_json::from_slice(&exchange.answer_body).unwrap_or_default();
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match exchange.path() {
        path if path.starts_with("/did:") => text("/service/0/serviceEndpoint").to_owned(),
        "/.well-known/oauth-protected-resource" => text("/authorization_servers/0").to_owned(),
        "/.well-known/oauth-authorization-server" => "its endpoints".to_owned(),
        "/oauth/par" => "request_uri".to_owned(),
        "/oauth/token" => "tokens".to_owned(),
        "/oauth/revoke" => "revoked".to_owned(),
        "/xrpc/com.atproto.server.getSession" => text("/handle").to_owned(),
        "/xrpc/com.atproto.repo.createRecord" => "written".to_owned(),
        _ => String::new(),
    }
}

/// Shortens a `did:plc` in a path to its first six characters.
fn shortened(path: &str) -> String {
    match path.split_once("did:plc:") {
        Some((before, id)) => format!("{before}did:plc:{}…", id.get(..6).unwrap_or(id)),
        None => path.to_owned(),
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("the list begins with one line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
