//! How the demo is told: what was asked, what was answered, why it matters.

use std::time::Duration;

use anstream::println;
use anstyle::{AnsiColor, Style};
use atproto_oauth_sandbox::{Dns, Exchange, Seen, Served};
use serde_json::Value;
use url::Url;

/// Tells what the network saw since it was told last.
pub(crate) struct Telling<'a> {
    network: &'a Served,
    told: Vec<usize>,
    acts: usize,
}

const TITLE: Style = Style::new().bold();
const ACT: Style = AnsiColor::Cyan.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const ASKED_AGAIN: Style = AnsiColor::Yellow.on_default();
const QUIET: Style = Style::new().dimmed();

/// Columns of the text, and of what is asked.
const WIDTH: usize = 96;
const QUESTION: usize = 43;

impl<'a> Telling<'a> {
    pub(crate) fn new(network: &'a Served) -> Self {
        Self { network, told: Vec::new(), acts: 0 }
    }

    pub(crate) fn title(&self) {
        println!("\n{TITLE}A login with OAuth, from a handle to a dead token{TITLE:#}");
        println!(
            "{QUIET}The network is in this process, on sockets of this machine: a name server, the \
             PLC directory,\nand Alice's server. It is as strict as the reference server.{QUIET:#}"
        );
    }

    pub(crate) fn act(&mut self, title: &str) {
        self.acts += 1;
        println!("\n{ACT}{}  {title}{ACT:#}", self.acts);
    }

    /// Everything that was not told yet.
    pub(crate) fn requests(&mut self) {
        self.requests_to(|_| true);
    }

    /// What was not told yet, of requests with such a path; and every question to DNS.
    pub(crate) fn requests_to(&mut self, is_told: impl Fn(&str) -> bool) {
        let sandbox = self.network.sandbox();
        for (at, seen) in sandbox.log().iter().enumerate() {
            let is_new = !self.told.contains(&at);
            match seen {
                Seen::Lookup { name, answer, .. } if is_new => tell_lookup(name, answer),
                Seen::Request(exchange) if is_new && is_told(exchange.path()) => {
                    self.tell(exchange);
                }
                _ => continue,
            }
            self.told.push(at);
        }
    }

    fn tell(&self, exchange: &Exchange) {
        let origin = exchange.url.origin().ascii_serialization();
        let host = if origin == self.network.names().plc { "PLC" } else { "server" };
        let answer = exchange.error().unwrap_or_else(|| gist(exchange));
        let proof = match exchange.proof() {
            Some(proof) if proof.claim("nonce").is_some() => "proof with nonce",
            Some(_) => "proof without nonce",
            None => "",
        };
        let status = exchange.status.unwrap_or_default();
        let style = if status < 300 { GOOD } else { ASKED_AGAIN };
        let path = shortened(exchange.path());
        let method = exchange.method.as_str();
        let answer = if proof.is_empty() { answer } else { format!("{answer:<18}") };
        println!(
            "   {host:<8}{method:<6}{path:<QUESTION$}{style}{status}{style:#}  \
             {answer}{QUIET}{proof}{QUIET:#}"
        );
    }

    /// A URL that the browser goes to, and what it carries.
    pub(crate) fn url(&self, what: &str, url: &str) {
        let Ok(url) = Url::parse(url) else { return };
        self.shows(what, url.as_str().split('?').next().unwrap_or_default());
        for (name, value) in url.query_pairs() {
            let room = WIDTH - 30;
            let shown: String = match value.chars().count() > room {
                true => value.chars().take(room - 1).chain(['…']).collect(),
                false => value.into_owned(),
            };
            println!("   {:<14}{QUIET}{name:<13}{QUIET:#}{shown}", "");
        }
    }

    /// One fact.
    pub(crate) fn shows(&self, what: &str, text: &str) {
        println!("   {what:<14}{text}");
    }

    /// Why it matters.
    pub(crate) fn why(&self, text: &str) {
        for line in wrapped(text, WIDTH - 3) {
            println!("   {QUIET}{line}{QUIET:#}");
        }
    }

    pub(crate) fn end(&self, time: Duration) {
        let requests = self.network.sandbox().requests().count();
        println!("\n{TITLE}Done{TITLE:#} in {} ms, {requests} requests.", time.as_millis());
        println!(
            "{QUIET}Next: `atproto-oauth sandbox` keeps such a network running for your own client, \
             and\n`atproto-oauth login` logs you in at a real one.{QUIET:#}\n"
        );
    }
}

fn tell_lookup(name: &str, answer: &Dns) {
    let found = match answer {
        Dns::Records(records) => records.join(", "),
        _ => "nothing".to_owned(),
    };
    println!("   {:<8}{:<6}{name:<QUESTION$}{GOOD}{found}{GOOD:#}", "DNS", "TXT");
}

/// What an answer says that matters next.
fn gist(exchange: &Exchange) -> String {
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

/// A DID in a path is longer than what is interesting about it.
fn shortened(path: &str) -> String {
    match path.split_once("did:plc:") {
        Some((before, id)) => format!("{before}did:plc:{}…", id.get(..6).unwrap_or(id)),
        None => path.to_owned(),
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one from the start");
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
