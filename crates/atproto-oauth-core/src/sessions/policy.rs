//! The settings of managed sessions, and the times of a refresh.

use std::sync::Arc;
use std::time::Duration;

use atproto_sansio::Cx;

use crate::client::config::Config;
use crate::sessions::back_off::random_byte;

/// The client's settings and the policy, which all machines of managed sessions share.
#[derive(Clone)]
pub(crate) struct Managed {
    pub(crate) config: Arc<Config>,
    pub(crate) policy: Policy,
}

/// The settings of managed sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// Largest difference between the clocks of two processes that share a store.
    pub(crate) clock_skew: Duration,
    pub(crate) on_relogin: OnRelogin,
}

/// Fate of an account's earlier sessions of this client when the account logs in again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum OnRelogin {
    /// Earlier sessions stay: each device or browser of a user has a session of its own.
    #[default]
    KeepBoth,
    /// Earlier sessions are logged out, after the new one is stored.
    ReplaceAndRevoke,
}

impl Default for Policy {
    fn default() -> Self {
        Self { clock_skew: Duration::from_secs(5 * 60), on_relogin: OnRelogin::KeepBoth }
    }
}

/// Time for which a lease holds, from the moment before it is saved.
pub(crate) const LEASE: Duration = Duration::from_secs(45);

/// The end of a lease, in which no attempt to spend the refresh token begins: ten seconds for the
/// response, and ten to save the new tokens.
pub(crate) const RESERVE: Duration = Duration::from_secs(20);

/// Time for the response to an attempt.
pub(crate) const RESPONSE: Duration = Duration::from_secs(10);

/// Least time for the response that must be left after a driver has waited for a connection.
pub(crate) const LEAST_RESPONSE: Duration = Duration::from_secs(8);

/// Pause after a refresh that failed without spending the token, unless the server names another.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);

/// Time to save the tokens of a login.
pub(crate) const SAVING: Duration = Duration::from_secs(30);

/// Pause after which a session whose user has to log in again is tried once more.
pub(crate) const REAUTH_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Remaining lifetime below which an access token is renewed: 10 to 40 seconds, another one for each
/// check, so that processes do not renew their tokens in step.
pub(crate) fn leeway(cx: &mut Cx<'_>) -> Duration {
    Duration::from_secs(10) + Duration::from_secs(30) * u32::from(random_byte(cx)) / 256
}
