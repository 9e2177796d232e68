//! Formats each request and DNS lookup as one line. Headers and bodies are left out, because they
//! hold secrets; of an error response, the line has the error text.

use anstyle::{AnsiColor, Style};
use atproto_oauth_sandbox::{By, Dns, Exchange, Seen};
use serde_json::Value;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Yellow.on_default();
const QUIET: Style = Style::new().dimmed();

pub(crate) fn line(seen: &Seen) -> String {
    match seen {
        Seen::Request(exchange) => request(exchange),
        Seen::Lookup { name, answer, .. } => {
            let (style, answer) = match answer {
                Dns::Records(records) => (GOOD, records.join(", ")),
                Dns::NoSuchName => (BAD, "no such name (NXDOMAIN)".to_owned()),
                Dns::Fails => (BAD, "failure (SERVFAIL)".to_owned()),
                Dns::Silent => (BAD, "no response".to_owned()),
            };
            format!("  TXT   {name}  {style}{answer}{style:#}\n")
        }
        _ => String::new(),
    }
}

fn request(exchange: &Exchange) -> String {
    let origin = exchange.url.origin().ascii_serialization();
    let place = origin.trim_start_matches("http://");
    let (style, status) = match exchange.status {
        Some(status) if !exchange.delivered => {
            (BAD, format!("{status}, but the response was lost"))
        }
        Some(status) if status < 400 => (GOOD, status.to_string()),
        Some(status) => (BAD, status.to_string()),
        None => (BAD, "no response".to_owned()),
    };
    let by = match exchange.by {
        By::Client => String::new(),
        _ => format!("  {QUIET}(sent by a server){QUIET:#}"),
    };
    format!(
        "  {:<5} {place}{}  {style}{status}{style:#}{}{by}\n",
        exchange.method.as_str(),
        exchange.path(),
        why(exchange),
    )
}

/// Returns the error code of an error response, with its description if it has one.
fn why(exchange: &Exchange) -> String {
    let Some(error) = exchange.error() else { return String::new() };
    let answer: Value = serde_json::from_slice(&exchange.answer_body).unwrap_or_default();
    let told = ["error_description", "message"].iter().find_map(|name| answer.get(name)?.as_str());
    match told {
        Some(told) => format!("  {error}: {told}"),
        None => format!("  {error}"),
    }
}
