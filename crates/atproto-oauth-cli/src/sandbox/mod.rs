//! `sandbox`: serves an AT Protocol network on loopback ports until the process is stopped.

mod guide;
mod seen;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use atproto_oauth_sandbox::{Habits, Served};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use url::Url;

use crate::failure::{CONFIGURATION, Failure};
use crate::output;

#[derive(Args, Debug)]
pub(crate) struct Sandbox {
    /// Seed of all random values in the network
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// First of nine consecutive ports; by default, the system chooses free ports
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,

    /// Print the network's addresses and accounts as one line of JSON, and nothing else
    #[arg(long)]
    pub(crate) json: bool,

    /// Server software that the servers of the network behave like
    #[arg(long, value_name = "SERVER", value_enum, default_value_t = Like::Reference)]
    pub(crate) like: Like,

    /// JSON file to publish for the servers of the network at an https URL: the metadata document
    /// of a client at its client_id, or its JWKS; the option may be repeated. Servers fetch from
    /// public host names only, not from example.com or .test
    #[arg(long, value_name = "URL=FILE", value_parser = client_document)]
    pub(crate) client: Vec<(Url, PathBuf)>,
}

/// Server software whose habits the sandbox has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Like {
    Reference,
    Tranquil,
    Cirrus,
    Ezpds,
    Cocoon,
    Pegasus,
}

/// Interval at which new requests and DNS lookups are printed.
const INTERVAL: Duration = Duration::from_millis(50);

/// Runs until the process is stopped, or until the reader of its output closes the pipe.
pub(crate) fn run(options: &Sandbox) -> Result<(), Failure> {
    let network = Served::builder(options.seed)
        .first_port(options.port.unwrap_or_default())
        .start()
        .map_err(|error| {
            let help = "name the first of nine free ports with --port, or leave it out";
            Failure::new(CONFIGURATION, format!("can't listen: {error}"), help)
        })?;
    set_habits(&network, options.like);
    for (url, file) in &options.client {
        let text = fs::read_to_string(file)
            .map_err(|error| Failure::file("the client's file", file, &error))?;
        let json = serde_json::from_str::<Value>(&text).map_err(|error| {
            let message = format!("{} is not JSON: {error}", file.display());
            Failure::new(CONFIGURATION, message, "name a JSON file with --client URL=FILE")
        })?;
        let named = json.get("client_id").and_then(Value::as_str);
        if let Some(named) = named.filter(|named| *named != url.as_str()) {
            return Err(Failure::new(
                CONFIGURATION,
                format!(
                    "the client_id in {} is {named}, but it is to be published at {url}",
                    file.display()
                ),
                format!("publish it with --client {named}=FILE, or correct the file"),
            ));
        }
        network.sandbox().publish_json(url.as_str(), &text);
    }
    let ended = if options.json { serve_with_json(&network) } else { serve_with_text(&network) };
    ended.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(output::unwritten(&error)),
    })
}

/// Gives every server of the network the habits of a server software.
fn set_habits(network: &Served, like: Like) {
    let habits = match like {
        Like::Reference => Habits::reference(),
        Like::Tranquil => Habits::tranquil(),
        Like::Cirrus => Habits::cirrus(),
        Like::Ezpds => Habits::ezpds(),
        Like::Cocoon => Habits::cocoon(),
        Like::Pegasus => Habits::pegasus(),
    };
    let names = network.names();
    let mut sandbox = network.sandbox();
    let all = [
        &names.pds,
        &names.other_pds,
        &names.entryway,
        &names.entryway_pds,
        &names.other_entryway_pds,
    ];
    for origin in all {
        if let Some(server) = sandbox.find_server(origin) {
            sandbox.set_habits(server, habits.clone());
        }
    }
}

fn serve_with_json(network: &Served) -> io::Result<()> {
    network.sandbox().keep_log(false);
    let mut out = io::stdout();
    writeln!(out, "{}", to_json(network))?;
    out.flush()?;
    loop {
        thread::park();
    }
}

fn serve_with_text(network: &Served) -> io::Result<()> {
    let mut out = anstream::stdout();
    write!(out, "{}", guide::of(network))?;
    out.flush()?;
    loop {
        thread::sleep(INTERVAL);
        let seen = {
            let mut sandbox = network.sandbox();
            let lines: String = sandbox.log().iter().map(seen::line).collect();
            sandbox.clear_log();
            lines
        };
        if !seen.is_empty() {
            write!(out, "{seen}")?;
            out.flush()?;
        }
    }
}

fn to_json(network: &Served) -> Value {
    let names = network.names();
    let hosts: Map<String, Value> =
        network.hosts().into_iter().map(|(host, at)| (host, at.to_string().into())).collect();
    let accounts: Vec<Value> = network
        .sandbox()
        .accounts()
        .into_iter()
        .map(|account| {
            json!({
                "handle": account.handle,
                "did": account.did,
                "password": account.password,
                "pds": account.server,
                "issuer": account.issuer,
            })
        })
        .collect();
    json!({
        "pds": names.pds,
        "other_pds": names.other_pds,
        "entryway": names.entryway,
        "entryway_pds": names.entryway_pds,
        "other_entryway_pds": names.other_entryway_pds,
        "plc": names.plc,
        "doh": format!("{}/dns-query", names.doh),
        "nameserver": network.nameserver().to_string(),
        "hosts": hosts,
        "accounts": accounts,
    })
}

/// Parses `URL=FILE`. The last `=` separates them, because a URL may have a query.
fn client_document(text: &str) -> Result<(Url, PathBuf), String> {
    let (url, file) = text.rsplit_once('=').ok_or("expected URL=FILE")?;
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "https");
    let url = url.ok_or("expected an https URL before the last `=`")?;
    if url.port().is_some() || url.fragment().is_some() {
        return Err("servers fetch from URLs without port and fragment only".to_owned());
    }
    Ok((url, file.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_document_has_a_url_that_servers_fetch() {
        let (url, file) =
            client_document("https://app.client.dev/c.json?v=1=folder/c.json").unwrap();
        assert_eq!(url.as_str(), "https://app.client.dev/c.json?v=1");
        assert_eq!(file, PathBuf::from("folder/c.json"));
        for refused in ["c.json", "http://app.client.dev/c.json=c", "https://a.dev:8443/c.json=c"] {
            assert!(client_document(refused).is_err(), "{refused}");
        }
    }
}
