//! `logout`: ends sessions, at their servers and in the store.

use atproto_oauth_core::Revocation;
use clap::Args;
use serde_json::json;

use crate::account::accounts::{self, Stored};
use crate::arguments::Common;
use crate::failure::{Failure, Failures, USAGE};
use crate::network;
use crate::output::Format;

#[derive(Args, Debug)]
pub(crate) struct Logout {
    /// Account to log out, if several are logged in
    #[arg(value_name = "HANDLE|DID")]
    pub(crate) account: Option<String>,

    /// Log all accounts out
    #[arg(long, conflicts_with = "account")]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// The end of a session at its server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    /// Its tokens are revoked, or were not valid any more.
    Revoked,
    /// Its tokens stay valid until they expire, because the server can't revoke tokens.
    NotSupported,
}

pub(crate) fn run(logout: &Logout) -> Result<(), Failure> {
    let common = &logout.common;
    let all = accounts::of_store(&common.folder)?;
    let sessions = match logout.all {
        true => all,
        false => accounts::of_account(all, logout.account.as_deref())?,
    };
    let (mut list, mut failures) = (Vec::new(), Failures::default());
    for stored in &sessions {
        // The others are logged out all the same.
        let ended = end(stored, common);
        list.push(json!({
            "did": stored.session.did(),
            "handle": stored.session.handle(),
            "session_id": stored.session.session_id(),
            "revoked": matches!(ended, Ok(Ended::Revoked)),
            "error": ended.as_ref().err().map(Failure::to_json),
        }));
        match ended {
            Ok(ended) => {
                let printed = logout.format.tell(&format!("{}\n", told(stored, ended)));
                printed.unwrap_or_else(|failure| failures.add(failure, logout.format));
            }
            Err(failure) => failures.add(failure, logout.format),
        }
    }
    logout.format.print("", &json!({ "sessions": list }))?;
    failures.first()
}

/// The sentences to tell after a logout.
pub(crate) fn told(stored: &Stored, ended: Ended) -> String {
    let (name, server) = (accounts::name(&stored.session), stored.session.issuer());
    match ended {
        Ended::Revoked => format!("Logged out of {name}."),
        Ended::NotSupported => format!(
            "Logged out of {name}. Its tokens stay valid until they expire, because {server} can't \
             revoke tokens."
        ),
    }
}

/// Logs a session out.
pub(crate) fn end(stored: &Stored, common: &Common) -> Result<Ended, Failure> {
    let session = &stored.session;
    let (name, server) = (accounts::name(session), session.issuer());
    let places = network::places(session);
    let places = places.each_ref().map(String::as_str);
    if network::lacks_development(&common.network, &places) {
        // A revocation could not be sent: the session would be removed here, and its tokens would stay valid.
        let message = format!("{name} stays logged in: nothing can be sent to {server}");
        return Err(network::explain(Failure::new(USAGE, message, ""), &common.network, &places));
    }
    let app = network::app(network::client_of(session, common)?, common)?;
    let out = app
        .revoke(&stored.key)
        .map_err(|error| network::explain(error, &common.network, &places))?;
    match out.revocation {
        None | Some(Ok(Revocation::Revoked)) => Ok(Ended::Revoked),
        Some(Ok(_)) => Ok(Ended::NotSupported),
        Some(Err(error)) => Err(Failure::from(error)
            .and(&format!(
                "the session of {name} is removed here, but its tokens stay valid until they expire"
            ))
            .help(by_hand(server.as_str()))),
    }
}

/// Advice for tokens that could not be revoked.
pub(crate) fn by_hand(server: &str) -> String {
    format!("remove the access of this command in the settings of the account at {server}")
}
