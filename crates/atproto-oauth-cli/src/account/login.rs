//! `login`: logs in through the browser, and stores the session.

use std::time::Duration;

use atproto_oauth_core::{Binding, Subject};
use atproto_sansio::System;
use clap::Args;

use crate::account::accounts;
use crate::account::listener::Listener;
use crate::account::store;
use crate::arguments::{Folder, Network};
use crate::failure::{CONFIGURATION, DENIED, Failure};
use crate::network::{self, CALLBACK};
use crate::output;

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

    /// Log earlier sessions of the account out when the new one is stored; by default, they stay
    #[arg(long)]
    pub(crate) replace: bool,

    #[command(flatten)]
    pub(crate) folder: Folder,

    #[command(flatten)]
    pub(crate) network: Network,
}

pub(crate) fn run(login: &Login) -> Result<(), Failure> {
    let subject = Subject::parse(&login.subject)?;
    let app = network::app_of_login(login)?;

    // The listener is bound first, because the pushed authorization request contains its port in
    // the redirect URI.
    let cannot_listen =
        |why: String| Failure::new(CONFIGURATION, format!("can't listen on 127.0.0.1: {why}"));
    let listener = Listener::bind(CALLBACK).map_err(|error| cannot_listen(error.to_string()))?;
    let redirect_uri = listener.redirect_uri().map_err(|error| cannot_listen(error.to_string()))?;

    eprintln!("Looking up {subject} …");
    let name = subject.to_string();
    let begun = app
        .authorize_unbound(subject, |login| login.redirect_uri(redirect_uri.clone()))
        .map_err(|error| network::explain(error, &login.network, &[&name]))?;
    show(begun.url.as_str(), login.no_browser);

    let time = begun.expires_at.since(System::now());
    let arrived = listener.wait(&begun.state, time);
    let browser = arrived.map_err(|error| cannot_listen(error.to_string()))?.ok_or_else(|| {
        Failure::new(
            DENIED,
            format!("the browser did not return from the login {}; log in again", within(time)),
        )
    })?;

    let finished = app.callback(browser.params.clone(), Binding::unbound());
    match finished.map_err(Failure::from) {
        Ok(finished) => {
            let session = finished.session.at_hand();
            let name = accounts::name(&session);
            browser.show(
                "200 OK",
                "Logged in",
                &format!("You are logged in as {name}. You can close this page."),
            );
            let text = format!(
                "Logged in as {name} ({}) at {}.\nThe session is stored in {}.\n",
                session.did(),
                session.pds(),
                store::path(&login.folder)?.display()
            );
            output::write(text.as_bytes())?;
            // Earlier sessions that are replaced are logged out in the background.
            app.shutdown_within(LOGGING_OUT);
            Ok(())
        }
        Err(failure) => {
            browser.show("403 Forbidden", "Not logged in", &failure.to_string());
            Err(failure)
        }
    }
}

/// Time in which replaced sessions are logged out.
const LOGGING_OUT: Duration = Duration::from_secs(30);

fn show(url: &str, no_browser: bool) {
    let opened = !no_browser && webbrowser::open(url).is_ok();
    if opened {
        eprintln!("The browser opens. If it does not, open this URL:\n\n{url}\n");
    } else {
        eprintln!("Open this URL in your browser:\n\n{url}\n");
    }
}

fn within(time: Duration) -> String {
    format!("within {} minutes", time.as_secs().div_ceil(60))
}
