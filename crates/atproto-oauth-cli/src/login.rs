//! `login`: logs in through the browser, and stores the session in a file.

use std::time::Duration;

use atproto_oauth_core::{LoggedIn, Subject};
use atproto_oauth_ureq::StatelessClient;
use atproto_sansio::System;

use crate::arguments::Login;
use crate::call;
use crate::failure::{CONFIGURATION, DENIED, Failure};
use crate::listener::Listener;
use crate::network::{self, CALLBACK};
use crate::session_file::SessionFile;

pub(crate) fn run(login: &Login) -> Result<(), Failure> {
    let common = &login.common;
    let subject = Subject::parse(&login.subject)?;
    let client =
        StatelessClient::with_driver(network::new_client(login)?, network::driver(common)?);
    let file = SessionFile::new(common)?;
    // Before the browser is opened, because tokens that can't be stored are lost.
    file.try_out()?;

    // The listener is bound first, because the pushed authorization request contains its port in
    // the redirect URI.
    let cannot_listen =
        |why: String| Failure::new(CONFIGURATION, format!("can't listen on 127.0.0.1: {why}"));
    let listener = Listener::bind(CALLBACK).map_err(|error| cannot_listen(error.to_string()))?;
    let redirect_uri = listener.redirect_uri().map_err(|error| cannot_listen(error.to_string()))?;

    eprintln!("Looking up {subject} …");
    let name = subject.to_string();
    let begun = client
        .authorize_with(subject, |login| login.redirect_uri(redirect_uri.clone()))
        .map_err(|error| network::explain(error, common, &[&name]))?;
    show(begun.url.as_str(), login.no_browser);

    let time = begun.pending.expires_at().since(System::now());
    let arrived = listener.wait(begun.pending.state(), time);
    let browser = arrived.map_err(|error| cannot_listen(error.to_string()))?.ok_or_else(|| {
        Failure::new(
            DENIED,
            format!("the browser did not return from the login {}; log in again", within(time)),
        )
    })?;

    let finished = client
        .callback(begun.pending, browser.params.clone())
        .map_err(Failure::from)
        .and_then(|LoggedIn { session, .. }| {
            let stored = file.lock().and_then(|_lock| file.save(&session));
            match stored {
                Ok(()) => Ok(session),
                Err(failure) => Err(network::revoke_unstored(&client, session, failure)),
            }
        });
    match finished {
        Ok(session) => {
            let name =
                session.handle().map_or_else(|| session.did().as_str(), |handle| handle.as_str());
            browser.show(
                "200 OK",
                "Logged in",
                &format!("You are logged in as {name}. You can close this page."),
            );
            let text = format!(
                "Logged in as {name} ({}) at {}.\nThe session is stored in {}.\n",
                session.did(),
                session.pds(),
                file.path().display()
            );
            call::write(text.as_bytes())
        }
        Err(failure) => {
            browser.show("403 Forbidden", "Not logged in", &failure.to_string());
            Err(failure)
        }
    }
}

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
