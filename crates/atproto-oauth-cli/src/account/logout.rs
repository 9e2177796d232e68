//! `logout`: ends sessions, at their servers and in the store.

use atproto_oauth_core::Revocation;
use clap::Args;

use crate::account::accounts::{self, Stored};
use crate::arguments::Common;
use crate::failure::Failure;
use crate::{network, output};

#[derive(Args, Debug)]
pub(crate) struct Logout {
    /// Account to log out, if several are logged in
    #[arg(value_name = "HANDLE|DID")]
    pub(crate) account: Option<String>,

    /// Log all accounts out
    #[arg(long, conflicts_with = "account")]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn run(logout: &Logout) -> Result<(), Failure> {
    let common = &logout.common;
    let all = accounts::of_store(&common.folder)?;
    let sessions = match logout.all {
        true => all,
        false => accounts::of_account(all, logout.account.as_deref())?,
    };
    let mut result = Ok(());
    for stored in &sessions {
        // The others are logged out all the same.
        let ended =
            end(stored, common).and_then(|told| output::write(format!("{told}\n").as_bytes()));
        if let Err(failure) = ended {
            match result {
                Ok(()) => result = Err(failure),
                Err(_) => failure.print(),
            }
        }
    }
    result
}

/// Logs a session out. Returns the sentences to tell.
pub(crate) fn end(stored: &Stored, common: &Common) -> Result<String, Failure> {
    let session = &stored.session;
    let (name, server) = (accounts::name(session), session.issuer());
    let app = network::app(network::client_of(session, common)?, common)?;
    let places = network::places(session);
    let places = places.each_ref().map(String::as_str);
    let out = app
        .revoke(&stored.key)
        .map_err(|error| network::explain(error, &common.network, &places))?;
    match out.revocation {
        None | Some(Ok(Revocation::Revoked)) => Ok(format!("Logged out of {name}.")),
        Some(Ok(_)) => Ok(format!(
            "Logged out of {name}. Its tokens stay valid until they expire, because {server} can't \
             revoke tokens."
        )),
        Some(Err(error)) => Err(Failure::from(error)
            .and(&format!(
                "the session of {name} is removed here, but its tokens stay valid until they expire"
            ))
            .help(format!(
                "remove the access of this command in the settings of the account at {server}"
            ))),
    }
}
