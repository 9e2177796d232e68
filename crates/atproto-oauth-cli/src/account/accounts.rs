//! The accounts that are logged in, and the one that an option names.

use std::sync::Arc;
use std::time::Duration;

use atproto_oauth_core::{ResourceReply, Session, SessionKey, SessionsError, xrpc};
use atproto_oauth_ureq::{ManagedSession, OAuthClient};
use atproto_sansio::Body;
use http::Request;

use crate::arguments::{Common, Folder};
use crate::failure::{Failure, SESSION_OVER, USAGE};
use crate::output::tell;
use crate::{network, words};

/// A stored session, of any client.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) key: SessionKey,
    pub(crate) session: Arc<Session>,
}

/// All sessions in the store of the options.
pub(crate) fn of_store(folder: &Folder) -> Result<Vec<Stored>, Failure> {
    all(&network::offline(folder)?)
}

/// The newest session of the account that is named, or of the only one.
pub(crate) fn newest(folder: &Folder, account: Option<&str>) -> Result<Stored, Failure> {
    Ok(of_account(of_store(folder)?, account)?.swap_remove(0))
}

/// Sends `request` with a stored session. Returns the session as it is afterwards.
pub(crate) fn send(
    stored: Stored,
    request: Request<Body>,
    common: &Common,
) -> Result<(Stored, ResourceReply), Failure> {
    send_within(stored, common, |session| session.request(request))
}

/// Runs `work` with a stored session.
pub(crate) fn send_within(
    stored: Stored,
    common: &Common,
    work: impl FnOnce(&ManagedSession) -> Result<ResourceReply, SessionsError>,
) -> Result<(Stored, ResourceReply), Failure> {
    let app = network::app(network::client_of(&stored.session, common)?, common)?;
    let places = network::places(&stored.session);
    let places = places.each_ref().map(String::as_str);
    let restored = app.restore(&stored.key);
    let reply = restored.and_then(|session| Ok((work(&session)?, session)));
    if reply.as_ref().is_err_and(|error| error.unsaved.is_some()) {
        // The new tokens are the only ones, so the store gets some more time.
        app.shutdown_within(SAVING);
    }
    let (reply, session) =
        reply.map_err(|error| network::explain(error, &common.network, &places))?;
    xrpc::check(&reply.response)?;
    Ok((Stored { key: stored.key, session: session.at_hand() }, reply))
}

/// Time in which tokens are saved after the store has failed.
const SAVING: Duration = Duration::from_secs(30);

/// All stored sessions. A record that can't be read is reported, and left out.
pub(crate) fn all(app: &OAuthClient) -> Result<Vec<Stored>, Failure> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let list = app.sessions().list(None).of_any_client();
        let list = match after {
            Some(after) => list.after(after),
            None => list,
        };
        let page = app.driver().run(list)?;
        for stored in page.sessions {
            match stored.session {
                Ok(session) => found.push(Stored { key: stored.key, session }),
                Err(error) => {
                    let why = words::of_command(&error.to_string());
                    tell(format_args!("warning: the session {}: {why}", stored.key));
                }
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

/// The sessions of the account that `named` names by handle or DID, the newest first. Without a name,
/// those of the only account.
pub(crate) fn of_account(all: Vec<Stored>, named: Option<&str>) -> Result<Vec<Stored>, Failure> {
    let is_named = |stored: &Stored| match named {
        Some(named) => is_of(&stored.session, named.strip_prefix('@').unwrap_or(named)),
        None => true,
    };
    let accounts = names(&all);
    let mut found: Vec<_> = all.into_iter().filter(is_named).collect();
    found.sort_by_key(|stored| std::cmp::Reverse(stored.session.created_at()));
    let Some(first) = found.first() else {
        let message = match (named, accounts.is_empty()) {
            (Some(named), false) => format!("{named} is not logged in, only {accounts}"),
            _ => "no account is logged in".to_owned(),
        };
        let help = "log in with `atproto-oauth login` and the handle of the account";
        return Err(Failure::new(SESSION_OVER, message, help));
    };
    if found.iter().any(|stored| stored.key.did() != first.key.did()) {
        let message = format!("several accounts are logged in: {accounts}");
        return Err(Failure::new(USAGE, message, "name one of them"));
    }
    Ok(found)
}

/// Handle of the account, or its DID.
pub(crate) fn name(session: &Session) -> &str {
    session.handle().map_or_else(|| session.did().as_str(), |handle| handle.as_str())
}

/// Whether the session is of the account with this handle or DID.
pub(crate) fn is_of(session: &Session, name: &str) -> bool {
    let is_handle = |handle: &str| handle.eq_ignore_ascii_case(name);
    session.did().as_str() == name
        || session.handle().is_some_and(|handle| is_handle(handle.as_str()))
}

/// The names of all accounts, each once.
fn names(all: &[Stored]) -> String {
    let mut names: Vec<_> = all.iter().map(|stored| name(&stored.session)).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}
