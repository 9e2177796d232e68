//! Logs the sessions in.

use atproto_oauth_core::{Binding, CallbackParams, SessionKey};
use atproto_oauth_ureq::OAuthClient;

use crate::Outcome;
use crate::network::Network;

/// A session that is logged in.
pub(super) struct LoggedIn {
    pub(super) key: SessionKey,
    /// As [`Account`](crate::Account) has it.
    pub(super) is_reusable: bool,
}

/// Logs each account in `count` times.
pub(super) fn log_in(
    app: &OAuthClient,
    network: &impl Network,
    count: usize,
) -> Outcome<Vec<LoggedIn>> {
    let mut sessions = Vec::new();
    for account in network.accounts() {
        for _ in 0..count {
            let login = app.authorize(&account.handle)?;
            let cookie = login.cookie.ok_or("a login is bound to its browser")?;
            let callback = network.approve(&login.url, &account.handle)?;
            let params = CallbackParams::parse(&callback)?;
            let login = app.callback(params, Binding::cookie(cookie.value.expose()))?;
            let key = login.session.key().clone();
            sessions.push(LoggedIn { key, is_reusable: account.is_reusable });
        }
    }
    Ok(sessions)
}
