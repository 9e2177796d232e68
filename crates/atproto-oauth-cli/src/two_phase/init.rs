//! `init`: begins a login, and stores it for the process that completes it.

use std::path::{Path, PathBuf};

use atproto_oauth_core::{InputError, Pending, Scopes, Subject};
use atproto_sansio::System;
use clap::Args;
use serde_json::json;
use url::Url;

use crate::arguments::Network;
use crate::client;
use crate::failure::{CONFIGURATION, Failure};
use crate::network;
use crate::output::{Format, tell};
use crate::private_file::{Draft, PrivateFile};

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// Account to log in, or URL of a server where the user chooses the account
    #[arg(value_name = "HANDLE|DID|SERVER")]
    pub(crate) subject: String,

    /// URL of the client's published metadata, or http://localhost… for a client without metadata
    #[arg(long, env = "ATPROTO_OAUTH_CLIENT_ID", value_name = "URL")]
    pub(crate) client_id: String,

    /// URL of the callback page, which the client's metadata or its http://localhost… URL declares
    #[arg(long, env = "ATPROTO_OAUTH_REDIRECT_URI", value_name = "URL")]
    pub(crate) redirect_uri: Url,

    /// Scopes to request, separated by spaces; atproto is required
    #[arg(long, env = "ATPROTO_OAUTH_SCOPE", default_value = "atproto transition:generic")]
    pub(crate) scope: String,

    #[command(flatten)]
    pub(crate) state: StateFile,

    /// Replace the state of an earlier login that has not expired
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Option of `init` and `complete`.
#[derive(Args, Debug)]
pub(crate) struct StateFile {
    /// File that keeps the login until it is completed; it is secret, so keep it out of version
    /// control
    #[arg(long = "state", value_name = "FILE", default_value = ".atproto-oauth-state.json")]
    pub(crate) path: PathBuf,
}

/// Name of the file in messages.
pub(crate) const STATE: &str = "the state file";

pub(crate) fn run(init: &Init) -> Result<(), Failure> {
    let (network, state) = (&init.network, init.state.path.as_path());
    let subject = Subject::parse(&init.subject)?;
    let scopes = Scopes::parse(&init.scope).map_err(InputError::from)?;
    let redirect_uri = init.redirect_uri.clone();
    let client = client::of_login(&init.client_id, &redirect_uri, scopes.clone(), network)?;
    let app = network::stateless(client, network)?;
    let is_there = check_earlier(state, init.force)?;
    let draft = Draft::create(STATE, state)?;

    tell(format_args!("Looking up {subject} …"));
    let name = subject.to_string();
    let begun = app
        .authorize_with(subject, |login| login.redirect_uri(redirect_uri).scopes(scopes))
        .map_err(|error| network::explain(error, network, &[&name]))?;
    let json = begun.pending.to_json()?;
    // The login is stored before its URL is known to anybody (rule D-11).
    match is_there {
        true => draft.replace(json.expose())?,
        false => draft.add(json.expose())?,
    }
    let expires_at = begun.pending.expires_at();
    let minutes = expires_at.since(System::now()).as_secs().div_ceil(60);
    tell(format_args!(
        "Open this URL in a browser within {minutes} minutes. Then copy the whole URL of the page \
         that the browser\nends on, and give it to `atproto-oauth complete`.\n"
    ));
    let described = json!({
        "url": begun.url.as_str(),
        "state_file": state.display().to_string(),
        "expires_at": expires_at.as_secs(),
    });
    init.format.print(&format!("{}\n", begun.url), &described)
}

/// Returns whether there is a state file that may be replaced. Fails if it must not be.
fn check_earlier(state: &Path, force: bool) -> Result<bool, Failure> {
    let Some(file) = PrivateFile::open(STATE, state)? else { return Ok(false) };
    let refused = |why: String, help: &str| {
        Failure::new(CONFIGURATION, format!("the state file {} {why}", state.display()), help)
    };
    let pending = Pending::from_json(file.read()?.expose()).map_err(|_| {
        let help = "remove it, or name another one with --state";
        refused("is not the state of a login".to_owned(), help)
    })?;
    if force || pending.expires_at() <= System::now() {
        return Ok(true);
    }
    let why = format!("is of a login of {} that has not expired", pending.subject());
    Err(refused(why, "complete that login, or replace it with --force"))
}
