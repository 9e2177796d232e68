//! Managed sessions: kept in a store, renewed when it is time, shared by any number of processes.
//!
//! The machines here ask for `Store`, `Shared`, `Sleep` and `Notify` calls beside those of the
//! procedures that they are built on. Finishing a login, refreshing and logging out are shared
//! machines, so that they go on to their end if their asker is dropped.

mod back_off;
mod clock;
mod ensure;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod key;
pub(crate) mod log_out;
pub(crate) mod login;
pub(crate) mod moving;
pub(crate) mod policy;
mod record;
mod refresh;
pub(crate) mod request;
pub(crate) mod restore;
mod tell;
pub(crate) mod upkeep;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atproto_identity::Did;
use atproto_sansio::Body;
use http::Request;

use crate::client::Client;
use crate::login::authorize::Authorize;
use crate::login::callback::CallbackParams;
use crate::session::Session;
use crate::sessions::key::SessionKey;
use crate::sessions::log_out::LogOut;
use crate::sessions::login::begin::BeginLogin;
use crate::sessions::login::binding::Binding;
use crate::sessions::login::finish::FinishLogin;
use crate::sessions::moving::add::AddSession;
use crate::sessions::moving::hand_over::HandOver;
use crate::sessions::policy::{Managed, OnRelogin, Policy};
use crate::sessions::request::SessionRequest;
use crate::sessions::restore::Restore;
use crate::sessions::upkeep::count_keys::CountKeys;
use crate::sessions::upkeep::list::ListSessions;
use crate::sessions::upkeep::restored::MarkRestored;
use crate::sessions::upkeep::sweep::Sweep;

/// A client whose sessions are in a store: makes the machine of each operation.
///
/// A clone is cheap. Any number of processes may share one store: see
/// [`clock_skew`](Self::clock_skew) for what they have to agree on.
#[derive(Clone)]
pub struct Sessions(Managed);

impl Sessions {
    /// Manages the sessions of `client`.
    pub fn new(client: &Client) -> Self {
        Self(Managed { config: Arc::clone(&client.0), policy: Policy::default() })
    }

    /// Largest difference between the clocks of two processes that share the store; five minutes by
    /// default.
    ///
    /// If a process ends in the middle of a refresh, another one waits for this time, or for 45 seconds
    /// in which it has watched the record itself, before it tries.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.0.policy.clock_skew = skew;
        self
    }

    /// Sets the fate of an account's earlier sessions when it logs in again; they stay by default.
    pub fn on_relogin(mut self, on_relogin: OnRelogin) -> Self {
        self.0.policy.on_relogin = on_relogin;
        self
    }

    /// Begins the login that [`Client::authorize`] describes, and stores it until its callback.
    pub fn authorize(&self, authorize: Authorize) -> BeginLogin {
        BeginLogin::new(authorize)
    }

    /// Finishes the login of a callback, and stores the session. `binding` is the cookie that the
    /// browser of the callback has brought along.
    pub fn callback(&self, params: CallbackParams, binding: Binding) -> FinishLogin {
        FinishLogin::new(self.0.clone(), params, binding)
    }

    /// Stores a session that was made elsewhere, for example with another store.
    pub fn add(&self, session: Session) -> AddSession {
        AddSession::new(self.0.clone(), session)
    }

    /// Removes a session without a logout, after another program has got it as `given`.
    pub fn hand_over(&self, given: Session) -> HandOver {
        HandOver::new(given)
    }

    /// Loads a session, and renews it if needed.
    pub fn restore(&self, key: &SessionKey) -> Restore {
        Restore::new(self.0.clone(), key.clone())
    }

    /// Sends `request` to the PDS of the session. `at_hand` is the session as it was restored, or as
    /// the latest [`SessionReply`](crate::SessionReply) has it: while its token is fresh, the store is
    /// not asked.
    pub fn request(&self, at_hand: Arc<Session>, request: Request<Body>) -> SessionRequest {
        SessionRequest::new(self.0.clone(), at_hand, request)
    }

    /// Logs a session out, at the server and in the store.
    pub fn revoke(&self, key: &SessionKey) -> LogOut {
        LogOut::new(self.0.clone(), key.clone())
    }

    /// Lists the stored sessions of one account, or of all accounts.
    pub fn list(&self, did: Option<&Did>) -> ListSessions {
        ListSessions::new(self.0.clone(), did.cloned())
    }

    /// Counts the stored sessions of each key of this client, to tell when a retired key may be removed.
    pub fn count_keys(&self) -> CountKeys {
        CountKeys::new(self.0.clone())
    }

    /// Removes expired records, and finishes logouts that were interrupted.
    pub fn sweep(&self) -> Sweep {
        Sweep::new(self.0.clone())
    }

    /// Marks all sessions of a store that was restored from a backup.
    pub fn mark_restored(&self) -> MarkRestored {
        MarkRestored::new(self.0.clone())
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client_id = &self.0.config.client_id;
        f.debug_struct("Sessions").field("client_id", client_id).finish_non_exhaustive()
    }
}
