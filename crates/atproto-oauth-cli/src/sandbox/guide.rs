//! Text that `sandbox` prints at its start: servers, accounts, and commands to try.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use atproto_oauth_sandbox::Served;

const TITLE: Style = Style::new().bold();
const HEADING: Style = AnsiColor::Cyan.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// Builds the whole text. The results of `write!` are ignored, because writing to a string can't
/// fail.
pub(crate) fn of(network: &Served) -> String {
    let mut text = format!("\n{TITLE}An AT Protocol network on this machine.{TITLE:#} ");
    let _ = writeln!(text, "{QUIET}Ctrl-C stops it; nothing is stored.{QUIET:#}");
    servers(&mut text, network);
    accounts(&mut text, network);
    commands(&mut text, network);
    other_clients(&mut text, network);
    let _ = writeln!(text, "{}", heading("Requests and DNS lookups"));
    text
}

fn servers(text: &mut String, network: &Served) {
    let names = network.names();
    let handles = network.hosts().first().map(|(_, address)| address.to_string());
    let doh = format!("{}/dns-query", names.doh);
    let rows = [
        ("PDS", &*names.pds, "its own authorization server"),
        ("second PDS", &names.other_pds, "its own authorization server"),
        ("entryway", &names.entryway, "authorization server of the next two PDSes"),
        ("entryway PDS", &names.entryway_pds, ""),
        ("second entryway PDS", &names.other_entryway_pds, ""),
        ("PLC directory", &names.plc, "did:plc documents"),
        ("nameserver", &network.nameserver().to_string(), "UDP and TCP"),
        ("DNS over HTTP", &doh, "JSON"),
        ("handle hosts", &handles.unwrap_or_default(), "/.well-known/atproto-did, by Host header"),
    ];
    let _ = writeln!(text, "{}", heading("Servers"));
    table(text, &rows.map(|(what, place, note)| [what, place, note].map(str::to_owned)));
}

fn accounts(text: &mut String, network: &Served) {
    let accounts = network.sandbox().accounts();
    let row = |account: atproto_oauth_sandbox::AccountInfo| {
        let at = account.server.trim_start_matches("http://").to_owned();
        [account.handle, account.password, at, account.did]
    };
    let rows: Vec<_> = accounts.into_iter().map(row).collect();
    let _ = writeln!(text, "{}", heading("Accounts: handle, password, server, DID"));
    table(text, &rows);
    let _ = writeln!(
        text,
        "\n  {QUIET}Handles with a DNS record: alice, bob, dave, wendy, rita, sara. Handles with \
         /.well-known/atproto-did: carol, dave.{QUIET:#}"
    );
}

fn commands(text: &mut String, network: &Served) {
    let (plc, nameserver) = (&network.names().plc, network.nameserver());
    let connect_to: String = network
        .hosts()
        .into_iter()
        .filter(|(host, _)| host == "alice.test")
        .map(|(host, address)| format!(" --connect-to {host}={address}"))
        .collect();
    let options = format!(
        "--sessions sandbox-sessions --development \\\n    --plc-directory {plc} --nameserver \
         {nameserver} \\\n   {connect_to}"
    );
    let command = command();
    let _ = writeln!(text, "{}", heading("Commands to try"));
    for verb in ["login alice.test", "call com.atproto.server.getSession"] {
        let _ = writeln!(text, "  {command} {verb} {options}\n");
    }
}

/// Settings that a client other than this command needs in the network.
fn other_clients(text: &mut String, network: &Served) {
    let names = network.names();
    let handles = network.hosts().first().map(|(_, address)| address.to_string());
    let handles = handles.unwrap_or_default();
    let rows = [
        ("plain http", "allow it, and loopback addresses, for the origins above".to_owned()),
        (".test", "allow handles that end in it".to_owned()),
        ("PLC directory", format!("{} instead of https://plc.directory", names.plc)),
        (
            "handles by DNS",
            format!("nameserver {}, or {}/dns-query", network.nameserver(), names.doh),
        ),
        (
            "handles by HTTP",
            format!("connect to {handles} for each handle's host, without DNS and TLS"),
        ),
        (
            "client_id",
            "http://localhost?redirect_uri=…&scope=… (a loopback client), or the URL of a document"
                .to_owned(),
        ),
        ("documents", "publish metadata and JWKS of a client with --client URL=FILE".to_owned()),
    ];
    let _ = writeln!(text, "{}", heading("Settings that other clients need"));
    table(text, &rows.map(|(what, how)| [what.to_owned(), how]));
}

/// Returns the name under which this command was called, quoted for a shell if necessary.
fn command() -> String {
    let name = std::env::args().next().unwrap_or_else(|| "atproto-oauth".to_owned());
    quoted(&name)
}

fn heading(title: &str) -> String {
    format!("\n{HEADING}{title}{HEADING:#}")
}

/// Formats rows as a table. Each column is as wide as its widest cell; the last column is dimmed.
fn table<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max()
    };
    for row in rows {
        text.push_str("  ");
        for (at, cell) in row.iter().enumerate() {
            let width = width(at).unwrap_or_default();
            let _ = match at + 1 == N {
                true if cell.is_empty() => Ok(()),
                true => write!(text, "{QUIET}{cell}{QUIET:#}"),
                false => write!(text, "{cell:<width$}   "),
            };
        }
        text.push('\n');
    }
}

/// Quotes text for a shell if necessary.
fn quoted(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-".contains(char);
    let text = text.to_owned();
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
