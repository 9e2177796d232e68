//! [`OAuthClient`]: logins and sessions that are kept in a store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atproto_oauth_core::exports::Did;
use atproto_oauth_core::{
    Authorize, BegunLogin, Binding, CallbackParams, Client, ConfigError, Error, FinishLoginError,
    KeyCount, LoggedOut, OnRelogin, Renew, Session, SessionEvent, SessionKey, Sessions,
    SessionsError, StoredSession, Subject, Swept,
};
use atproto_oauth_store::{Split, Store};

use crate::builder::DriverBuilder;
use crate::driver::Driver;
use crate::session::ManagedSession;

/// Logs users in, and keeps their sessions in a store: renews them when it is time, in any number of
/// processes that share the store.
///
/// Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    client: Client,
    sessions: Sessions,
    driver: Driver,
}

/// Builds an [`OAuthClient`]; see [`OAuthClient::builder`].
#[must_use = "a builder does nothing until `build`"]
pub struct OAuthClientBuilder {
    client: Client,
    sessions: Sessions,
    driver: DriverBuilder,
    on_event: Option<Arc<Handler>>,
    accepts_plaintext: bool,
}

type Handler = dyn Fn(&SessionEvent) + Send + Sync;

/// A finished login, whose session is stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CompletedLogin {
    /// The session of the account.
    pub session: ManagedSession,
    /// Text that the application gave to [`Authorize::app_state`].
    pub app_state: Option<String>,
}

impl OAuthClient {
    /// Begins to build a client whose sessions are in a store.
    ///
    /// If `client` was built for a development network, its driver is built for it, too.
    pub fn builder(client: Client) -> OAuthClientBuilder {
        let sessions = Sessions::new(&client);
        let driver = DriverBuilder::default();
        let driver = if client.development() { driver.development() } else { driver };
        OAuthClientBuilder { client, sessions, driver, on_event: None, accepts_plaintext: false }
    }

    /// The settings of the client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The driver, for machines of [`Client`] and [`Sessions`] with further options.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// The machines that the methods of this client run.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Begins the login of a handle, DID or server, as the user typed it. Redirect the browser to
    /// [`BegunLogin::url`], and set [`BegunLogin::cookie`] in it.
    ///
    /// # Errors
    ///
    /// Fails if the account or its authorization server can't be resolved, if one of them fails a
    /// check, if the authorization server rejects the request, or if the store fails.
    pub fn authorize(&self, subject: &str) -> Result<BegunLogin, Error> {
        self.authorize_with(Subject::parse(subject)?, |authorize| authorize)
    }

    /// Begins a login with options that the closure sets on [`Authorize`], such as a redirect URI or
    /// scopes.
    ///
    /// # Errors
    ///
    /// Fails as [`authorize`](Self::authorize) does, or if the client may not use an option.
    pub fn authorize_with(
        &self,
        subject: Subject,
        options: impl FnOnce(Authorize) -> Authorize,
    ) -> Result<BegunLogin, Error> {
        let authorize = options(self.client.authorize(subject));
        self.driver.run(self.sessions.authorize(authorize))
    }

    /// Begins a login without a binding to a browser, for a program on the user's own computer whose
    /// listener waits for the browser. Its callback comes with [`Binding::unbound`].
    ///
    /// # Errors
    ///
    /// Fails as [`authorize_with`](Self::authorize_with) does.
    pub fn authorize_unbound(
        &self,
        subject: Subject,
        options: impl FnOnce(Authorize) -> Authorize,
    ) -> Result<BegunLogin, Error> {
        let authorize = options(self.client.authorize(subject));
        self.driver.run(self.sessions.authorize(authorize).unbound_loopback())
    }

    /// Finishes the login of a callback: takes it out of the store, so that it can't be used again,
    /// exchanges the code, checks the account, and stores the session.
    ///
    /// # Errors
    ///
    /// Fails if the login is unknown or begun in another browser, if it was denied, or if the callback
    /// or the tokens fail a check.
    pub fn callback(
        &self,
        params: CallbackParams,
        binding: Binding,
    ) -> Result<CompletedLogin, FinishLoginError> {
        let finished = self.driver.run(self.sessions.callback(params, binding))?;
        let session = ManagedSession::new(self.clone(), finished.session);
        Ok(CompletedLogin { session, app_state: finished.app_state })
    }

    /// Loads a session from the store, and renews it if its access token is about to expire.
    ///
    /// # Errors
    ///
    /// Fails if there is no such session any more, if it can't be renewed, or if the store fails.
    pub fn restore(&self, key: &SessionKey) -> Result<ManagedSession, SessionsError> {
        self.restore_with(key, Renew::IfNeeded)
    }

    /// Loads a session, and renews it as `renew` says.
    ///
    /// # Errors
    ///
    /// Fails as [`restore`](Self::restore) does.
    pub fn restore_with(
        &self,
        key: &SessionKey,
        renew: Renew,
    ) -> Result<ManagedSession, SessionsError> {
        let session = self.driver.run(self.sessions.restore(key).renew(renew))?;
        Ok(ManagedSession::new(self.clone(), session))
    }

    /// The stored sessions of an account.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn list(&self, did: &Did) -> Result<Vec<StoredSession>, Error> {
        let mut page = self.driver.run(self.sessions.list(Some(did)))?;
        let mut sessions = page.sessions;
        while let Some(next) = page.next {
            page = self.driver.run(self.sessions.list(Some(did)).after(next))?;
            sessions.append(&mut page.sessions);
        }
        Ok(sessions)
    }

    /// Stores a session that was made elsewhere: by another program, with another store or library. From
    /// then on the session belongs to this store; the place that it came from must not use it any more.
    ///
    /// # Errors
    ///
    /// Fails if the session is of another client, if it is stored already with other tokens, or if the
    /// store fails.
    pub fn add(&self, session: Session) -> Result<ManagedSession, SessionsError> {
        let session = self.driver.run(self.sessions.add(session))?;
        Ok(ManagedSession::new(self.clone(), session))
    }

    /// Removes a session from the store without a logout, after another program has got it as `given`. That
    /// program goes on with its tokens.
    ///
    /// # Errors
    ///
    /// [`SessionError::Renewed`](atproto_oauth_core::SessionError::Renewed) if the tokens in the store are
    /// others by now, or a process is renewing them. Fails if there is no such session, or if the store
    /// fails.
    pub fn hand_over(&self, given: Session) -> Result<(), SessionsError> {
        self.driver.run(self.sessions.hand_over(given))
    }

    /// Logs a session out: revokes its tokens at the server, and deletes it from the store.
    ///
    /// # Errors
    ///
    /// Fails if the store fails, or if the record can't be read. If only the revocation fails, the
    /// session is deleted, and [`LoggedOut::revocation`] has the error.
    pub fn revoke(&self, key: &SessionKey) -> Result<LoggedOut, SessionsError> {
        self.driver.run(self.sessions.revoke(key))
    }

    /// Counts the stored sessions of each key of a confidential client: a retired key without sessions may
    /// be removed.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn count_keys(&self) -> Result<KeyCount, Error> {
        self.driver.run(self.sessions.count_keys())
    }

    /// Removes pending logins that nobody has finished, and finishes logouts that were interrupted. Call
    /// it from time to time, for example once in an hour.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn sweep(&self) -> Result<Swept, Error> {
        self.driver.run(self.sessions.sweep())
    }

    /// Marks all sessions of a store that was restored from a backup; returns their number. Refresh
    /// tokens are single-use, so a restored one may be spent: its session then ends with the cause
    /// [`RestoredFromBackup`](atproto_oauth_core::DeletedCause::RestoredFromBackup).
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn mark_restored(&self) -> Result<u64, Error> {
        self.driver.run(self.sessions.mark_restored())
    }

    /// Waits until logins, refreshes and logouts that are in progress have ended. A program calls it
    /// before its end. If the store does not work, the wait takes up to an hour.
    pub fn shutdown(&self) {
        self.driver.shutdown();
    }

    /// Waits as [`shutdown`](Self::shutdown) does, for at most `timeout`. Returns whether all of them
    /// have ended.
    pub fn shutdown_within(&self, timeout: Duration) -> bool {
        self.driver.shutdown_within(timeout)
    }
}

impl OAuthClientBuilder {
    /// Keeps pending logins and sessions in `store`.
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.driver = self.driver.store(store);
        self
    }

    /// Keeps pending logins in `logins`, and sessions in `sessions`.
    pub fn stores(self, logins: impl Store + 'static, sessions: impl Store + 'static) -> Self {
        self.store(Split::new(logins, sessions))
    }

    /// Changes settings of the driver, such as trusted certificates and nameservers.
    pub fn driver(mut self, change: impl FnOnce(DriverBuilder) -> DriverBuilder) -> Self {
        self.driver = change(self.driver);
        self
    }

    /// Calls `handler` with each change of a session, after the change is stored.
    ///
    /// The work on the session goes on when `handler` returns, so `handler` should be quick. A panic of
    /// `handler` is ignored.
    pub fn on_event(mut self, handler: impl Fn(&SessionEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(handler));
        self
    }

    /// Sets the fate of an account's earlier sessions when it logs in again; they stay by default.
    pub fn on_relogin(mut self, on_relogin: OnRelogin) -> Self {
        self.sessions = self.sessions.on_relogin(on_relogin);
        self
    }

    /// Largest difference between the clocks of processes that share the store; five minutes by
    /// default.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.sessions = self.sessions.clock_skew(skew);
        self
    }

    /// Accepts a store that keeps tokens and private keys in plain text. Whoever can read the store, or
    /// a backup of it, can then act for the accounts. A warning is logged.
    pub fn plaintext_at_rest(mut self) -> Self {
        self.accepts_plaintext = true;
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoStore`] without a store; [`ConfigError::PlaintextStore`] if the store is not
    /// encrypted, unless [`plaintext_at_rest`](Self::plaintext_at_rest) accepts that.
    pub fn build(self) -> Result<OAuthClient, ConfigError> {
        match (self.driver.stores.protects_at_rest(), self.accepts_plaintext) {
            (None, _) => return Err(ConfigError::NoStore),
            (Some(false), false) => return Err(ConfigError::PlaintextStore),
            (Some(false), true) => tracing::warn!("sessions are stored in plain text"),
            (Some(true), _) => {}
        }
        let on_event = self.on_event;
        let driver = self.driver.on_notice(move |notice| {
            if let (Some(on_event), Some(event)) = (&on_event, notice.downcast_ref()) {
                on_event(event);
            }
        });
        let driver = driver.build();
        Ok(OAuthClient { client: self.client, sessions: self.sessions, driver })
    }
}

impl fmt::Debug for OAuthClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClientBuilder")
            .field("client", &self.client)
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}
