//! `sessions`: lists and shows the stored sessions, renews them, and moves them to and from files.

mod export;
mod foreign;
mod import;

use std::fmt::Write as _;
use std::time::Duration;

use atproto_oauth_core::{AuthMethod, Renew, Session};
use atproto_sansio::{System, UnixTime};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::account::accounts::{self, Stored};
use crate::account::logout::{self, Logout};
use crate::account::sessions::export::Export;
use crate::account::sessions::import::Import;
use crate::arguments::{Common, Folder};
use crate::failure::Failure;
use crate::network;
use crate::output::Format;

/// The verbs below `sessions`.
#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// List the accounts that are logged in, with their sessions
    List(List),
    /// Show one session, without its secrets
    Show(Show),
    /// Renew the tokens of a session now
    Refresh(Refresh),
    /// Log an account out, at its server and here (the same as `logout`)
    Revoke(Logout),
    /// Write a session with its secrets to a file, to move it to another program
    Export(Export),
    /// Store sessions from a file: of `sessions export`, or of another client library
    Import(Import),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    format: Format,

    #[command(flatten)]
    folder: Folder,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Account of the session, if several are logged in; if it has several sessions, the newest is meant
    #[arg(value_name = "HANDLE|DID", env = "ATPROTO_OAUTH_ACCOUNT")]
    account: Option<String>,

    #[command(flatten)]
    format: Format,

    #[command(flatten)]
    folder: Folder,
}

#[derive(Args, Debug)]
pub(crate) struct Refresh {
    /// Account of the session, if several are logged in; if it has several sessions, the newest is meant
    #[arg(value_name = "HANDLE|DID", env = "ATPROTO_OAUTH_ACCOUNT")]
    account: Option<String>,

    #[command(flatten)]
    format: Format,

    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(verb: &Sessions) -> Result<(), Failure> {
    match verb {
        Sessions::List(options) => list(options),
        Sessions::Show(options) => show(options),
        Sessions::Refresh(options) => refresh(options),
        Sessions::Revoke(options) => logout::run(options),
        Sessions::Export(options) => export::run(options),
        Sessions::Import(options) => import::run(options),
    }
}

fn list(options: &List) -> Result<(), Failure> {
    let mut all = accounts::of_store(&options.folder)?;
    all.sort_by_cached_key(|stored| stored.key.to_string());
    let now = System::now();
    let mut text = String::new();
    for stored in &all {
        let session = &stored.session;
        let name = accounts::name(session);
        let _ = writeln!(text, "{name}  {}  {}", session.pds(), lifetime(session, now));
    }
    if all.is_empty() {
        text.push_str("No account is logged in.\n");
    }
    let json: Vec<_> = all.iter().map(described).collect();
    options.format.print(&text, &json!({ "sessions": json }))
}

fn show(options: &Show) -> Result<(), Failure> {
    let stored = accounts::newest(&options.folder, options.account.as_deref())?;
    let (session, now) = (&stored.session, System::now());
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{:<16}{value}", format!("{name}:"));
    };
    line("account", accounts::name(session));
    line("DID", session.did().as_str());
    line("session", session.session_id());
    line("PDS", session.pds().as_str());
    line("issuer", session.issuer().as_str());
    line("client", session.client_id());
    line("client key", &key_of(session));
    line("scopes", &session.scopes().to_string());
    line("logged in", &ago(session.created_at(), now));
    line("renewed", &ago(session.updated_at(), now));
    line("access token", lifetime(session, now).as_str());
    options.format.print(&text, &described(&stored))
}

fn refresh(options: &Refresh) -> Result<(), Failure> {
    let common = &options.common;
    let stored = accounts::newest(&common.folder, options.account.as_deref())?;
    let app = network::app(network::client_of(&stored.session, common)?, common)?;
    let places = network::places(&stored.session);
    let places = places.each_ref().map(String::as_str);
    let renewed = app
        .restore_with(&stored.key, Renew::Always)
        .map_err(|error| network::explain(error, &common.network, &places))?;
    let stored = Stored { session: renewed.at_hand(), ..stored };
    let name = accounts::name(&stored.session);
    let text = format!("{name}: {}\n", lifetime(&stored.session, System::now()));
    options.format.print(&text, &described(&stored))
}

/// A session for programs, without its secrets. Times are seconds since 1970.
fn described(stored: &Stored) -> Value {
    let session = &stored.session;
    json!({
        "did": session.did(),
        "session_id": session.session_id(),
        "handle": session.handle(),
        "pds": session.pds(),
        "issuer": session.issuer(),
        "client_id": session.client_id(),
        "kid": kid(session),
        "scopes": session.scopes(),
        "created_at": session.created_at().as_secs(),
        "updated_at": session.updated_at().as_secs(),
        "expires_at": session.expires_at().map(UnixTime::as_secs),
        "can_refresh": session.can_refresh(),
    })
}

fn kid(session: &Session) -> Option<&str> {
    match session.auth_method() {
        AuthMethod::PrivateKeyJwt { kid, .. } => Some(kid),
        _ => None,
    }
}

fn key_of(session: &Session) -> String {
    kid(session).map_or_else(|| "none (public client)".to_owned(), str::to_owned)
}

/// Remaining lifetime of the access token.
fn lifetime(session: &Session, now: UnixTime) -> String {
    let renewed = match session.can_refresh() {
        true => "renewed when needed",
        false => "can't be renewed",
    };
    match session.expires_at() {
        Some(at) if at <= now => format!("expired, {renewed}"),
        Some(at) => format!("valid for {}, {renewed}", span(at.since(now))),
        None => format!("valid for an unknown time, {renewed}"),
    }
}

/// The time since `at`, such as `3 hours ago`.
pub(crate) fn ago(at: UnixTime, now: UnixTime) -> String {
    format!("{} ago", span(now.since(at)))
}

/// A length of time in its greatest unit, rounded down.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let unit = units.into_iter().find(|(length, _)| seconds >= *length);
    let (length, name) = unit.unwrap_or((1, "second"));
    let count = seconds / length;
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_its_greatest_unit() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (3_599, "59 minutes"),
            (7_200, "2 hours"),
            (86_400, "1 day"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
