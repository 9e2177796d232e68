//! `login`: logs in through the browser, and stores the session.
//!
//! The browser comes back to a listener on this machine. If it runs on another computer, the user
//! pastes the URL that it ended on. The first of the two finishes the login.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use atproto_oauth_core::{Binding, CallbackParams, Error, Session, Subject};
use atproto_oauth_ureq::OAuthClient;
use atproto_sansio::System;
use clap::Args;
use serde_json::json;

use crate::account::accounts;
use crate::account::arrival::{Arrival, Arrivals};
use crate::account::earlier::Earlier;
use crate::account::listener::Listener;
use crate::account::paste::{self, Expected};
use crate::account::store;
use crate::arguments::{Common, Folder, Network};
use crate::client_key::KeyFile;
use crate::failure::{CONFIGURATION, DENIED, Failure, INTERRUPTED};
use crate::network::{self, CALLBACK};
use crate::output::{Format, tell};
use crate::remedy;

#[derive(Args, Debug)]
pub(crate) struct Login {
    /// Account to log in, or URL of a server where the user chooses the account
    #[arg(value_name = "HANDLE|DID|SERVER", default_value = "https://bsky.social")]
    pub(crate) subject: String,

    /// Scopes to request, separated by spaces; atproto is required
    #[arg(long, default_value = "atproto transition:generic")]
    pub(crate) scope: String,

    /// Do not open a browser; only print the URL to open
    #[arg(long)]
    pub(crate) no_browser: bool,

    /// Read the URL that the browser ended on from standard input, even if it is not a terminal; the
    /// browser may then run on another computer
    #[arg(long)]
    pub(crate) paste: bool,

    /// Time to wait for the browser; by default and at most, until the server's authorization request
    /// expires
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    pub(crate) timeout: Option<Duration>,

    /// Log earlier sessions of the account out when the new one is stored; by default, they stay
    #[arg(long)]
    pub(crate) replace: bool,

    #[command(flatten)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) folder: Folder,

    #[command(flatten)]
    pub(crate) network: Network,
}

pub(crate) fn run(login: &Login) -> Result<(), Failure> {
    let subject = Subject::parse(&login.subject)?;
    let app = network::app_of_login(login)?;
    let mut earlier = Earlier::new(accounts::all(&app)?, login.replace);
    earlier.tell_before(&subject);

    // The listener is bound first, because the pushed authorization request contains its port in
    // the redirect URI.
    let listener = Listener::bind(CALLBACK).map_err(cannot_listen)?;
    let redirect_uri = listener.redirect_uri().map_err(cannot_listen)?;

    tell(format_args!("Looking up {subject} …"));
    let name = subject.to_string();
    let begun = app
        .authorize_unbound(subject, |login| login.redirect_uri(redirect_uri.clone()))
        .map_err(|error| not_begun(error, login, &name))?;

    let arrivals = Arrivals::new();
    arrivals.handle_signals().map_err(|error| {
        let message = format!("can't handle the signals of this process: {error}");
        Failure::new(CONFIGURATION, message, "try again in another terminal")
    })?;
    let _listening = arrivals.listen(listener, &begun.state).map_err(cannot_listen)?;
    show(begun.url.as_str(), login.no_browser);
    if paste::is_wanted(login.paste) {
        let expected = Expected { redirect_uri, state: begun.state };
        arrivals.prompt(expected).map_err(|error| {
            let message = format!("can't read standard input: {error}");
            Failure::new(CONFIGURATION, message, "leave out --paste, or give another input")
        })?;
    }

    let left = begun.expires_at.since(System::now());
    let time = login.timeout.map_or(left, |timeout| timeout.min(left));
    let session = match arrivals.wait(time) {
        Some(Arrival::Browser(browser)) => {
            let finished = finish(&app, browser.params.clone());
            let (status, title, text) = match &finished {
                Ok(session) => {
                    let name = accounts::name(session);
                    let text = format!("You are logged in as {name}. You can close this page.");
                    ("200 OK", "Logged in", text)
                }
                Err(failure) => ("403 Forbidden", "Not logged in", failure.to_string()),
            };
            browser.show(status, title, &text);
            finished?
        }
        Some(Arrival::Pasted(params)) => finish(&app, params)?,
        Some(Arrival::Interrupted) => {
            let message = "the login was interrupted before the browser came back";
            return Err(Failure::new(INTERRUPTED, message, "log in again"));
        }
        None => {
            let message =
                format!("the browser did not return from the login within {}", length(time));
            let help = "log in again; --paste takes the URL of a browser on another computer";
            return Err(Failure::new(DENIED, message, help));
        }
    };
    report(login, &session, &earlier)
}

/// Time for work that goes on in the background after the login.
const SAVING: Duration = Duration::from_secs(30);

/// Sends the code, and stores the session.
fn finish(app: &OAuthClient, params: CallbackParams) -> Result<Arc<Session>, Failure> {
    let finished = app.callback(params, Binding::unbound());
    // Tokens whose storage or revocation goes on in the background get some more time.
    app.shutdown_within(SAVING);
    Ok(finished?.session.at_hand())
}

/// Prints the result, after the earlier sessions are settled.
fn report(login: &Login, session: &Session, earlier: &Earlier) -> Result<(), Failure> {
    let (folder, network) = (login.folder.clone(), login.network.clone());
    earlier.settle(session, &Common { folder, key: KeyFile::default(), network });
    let text = format!(
        "Logged in as {} ({}) at {}.\nThe session is stored in {}.\n",
        accounts::name(session),
        session.did(),
        session.pds(),
        store::path(&login.folder)?.display()
    );
    let json = json!({
        "did": session.did(),
        "handle": session.handle(),
        "pds": session.pds(),
        "session_id": session.session_id(),
        "scopes": session.scopes(),
    });
    login.format.print(&text, &json)
}

/// The failure of a login that was not begun. This command makes all of the request but the scopes, so that a
/// server that calls it invalid rejects loopback clients, most likely.
fn not_begun(error: Error, login: &Login, name: &str) -> Failure {
    let is_rejected = matches!(
        &error,
        Error::Refused(refusal)
            if refusal.loopback_rejected || refusal.error.as_deref() == Some("invalid_request")
    );
    let failure = network::explain(error, &login.network, &[name]);
    if is_rejected { failure.help(remedy::PUBLISHED_CLIENT) } else { failure }
}

fn cannot_listen(why: impl Display) -> Failure {
    let help = "allow this program to listen on a loopback port, and log in again";
    Failure::new(CONFIGURATION, format!("can't listen on 127.0.0.1: {why}"), help)
}

fn show(url: &str, no_browser: bool) {
    let opened = !no_browser && webbrowser::open(url).is_ok();
    if opened {
        tell(format_args!("The browser opens. If it does not, open this URL:\n\n{url}\n"));
    } else {
        tell(format_args!("Open this URL in your browser:\n\n{url}\n"));
    }
}

/// Parses a number of minutes, such as `5` or `0.5`.
fn minutes(text: &str) -> Result<Duration, String> {
    let minutes: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    let time = Duration::try_from_secs_f64(minutes * 60.0).ok().filter(|time| !time.is_zero());
    time.ok_or_else(|| "a number of minutes above 0 is needed".to_owned())
}

/// A length of time in minutes if it is long, otherwise in seconds.
fn length(time: Duration) -> String {
    match (time.as_secs_f64().round(), (time.as_secs_f64() / 60.0).round()) {
        (1.0, _) => "1 second".to_owned(),
        (seconds, _) if seconds < 120.0 => format!("{seconds} seconds"),
        (_, minutes) => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_a_positive_number() {
        for (text, seconds) in [("5", 300.0), ("0.5", 30.0)] {
            assert_eq!(minutes(text), Ok(Duration::from_secs_f64(seconds)));
        }
        for text in ["0", "-1", "x", "", "inf", "NaN", "1e30"] {
            assert!(minutes(text).is_err(), "{text}");
        }
        assert_eq!(length(Duration::from_millis(299_600)), "5 minutes");
        assert_eq!(length(Duration::from_secs(90)), "90 seconds");
    }
}
