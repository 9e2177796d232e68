//! [`StatelessClient`]: one method for each procedure of [`Client`], which the driver runs.

use std::time::Duration;

use atproto_oauth_core::{
    Authorization, Authorize, CallbackError, CallbackParams, Client, Credentials, Error, LoggedIn,
    Pending, RefreshError, Refreshed, ResourceReply, Revocation, Session, Subject,
};
use atproto_sansio::{Answer, Body};
use http::Request;

use crate::driver::Driver;
use crate::streamed::StreamedBody;
use crate::streams::AttachedBody;

/// A [`Client`] and the [`Driver`] that runs its procedures: login, requests, refresh and logout.
///
/// Clones are cheap and share the driver.
#[derive(Clone, Debug)]
pub struct StatelessClient {
    client: Client,
    driver: Driver,
}

impl StatelessClient {
    /// Runs the procedures of `client` on a driver with the default settings
    /// ([`Driver::default`]).
    ///
    /// If `client` was built for a development network, use [`with_driver`](Self::with_driver) and
    /// a driver that was built with
    /// [`DriverBuilder::development`](crate::DriverBuilder::development), because the default
    /// driver blocks development calls.
    pub fn new(client: Client) -> Self {
        Self::with_driver(client, Driver::default())
    }

    /// Runs the procedures of `client` on `driver`, which may have other settings than the default.
    pub fn with_driver(client: Client, driver: Driver) -> Self {
        Self { client, driver }
    }

    /// The client. To set options of a procedure, build its machine with this client, and run the
    /// machine on [`driver`](Self::driver).
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The driver that runs the procedures of this client.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Resolves the account, pushes the authorization request, and ends in the URL to open.
    ///
    /// Store [`Authorization::pending`] until the callback arrives, and redirect the browser to
    /// [`Authorization::url`].
    ///
    /// # Errors
    ///
    /// Fails if the account or its authorization server cannot be resolved, if one of them fails a
    /// check, or if the authorization server rejects the request.
    pub fn authorize(
        &self,
        subject: Subject,
    ) -> impl Future<Output = Result<Authorization, Error>> + Send + 'static + use<> {
        self.authorize_with(subject, |authorize| authorize)
    }

    /// Begins a login as [`authorize`](Self::authorize) does, with options that the closure sets on
    /// [`Authorize`], such as a redirect URI or scopes.
    ///
    /// # Errors
    ///
    /// Fails as [`authorize`](Self::authorize) does, or if the client may not use an option.
    pub fn authorize_with<O: FnOnce(Authorize) -> Authorize>(
        &self,
        subject: Subject,
        options: O,
    ) -> impl Future<Output = Result<Authorization, Error>> + Send + 'static + use<O> {
        self.driver.run(options(self.client.authorize(subject)))
    }

    /// Checks the callback parameters against `pending`, exchanges the authorization code for
    /// tokens, and ends in the new session.
    ///
    /// An authorization code is single-use. If the future is dropped, the login may be lost.
    ///
    /// # Errors
    ///
    /// Fails if the login was denied, or if the callback or the tokens fail a check. Tokens that
    /// were issued by then are revoked; [`CallbackError::revocation`] has the outcome.
    pub fn callback(
        &self,
        pending: Pending,
        params: CallbackParams,
    ) -> impl Future<Output = Result<LoggedIn, CallbackError>> + Send + 'static + use<> {
        self.driver.run(self.client.callback(pending, params))
    }

    /// Sends `request` to the PDS of the account, with the session's access token and a DPoP proof.
    /// [`xrpc`](atproto_oauth_core::xrpc) builds such requests.
    ///
    /// A response of any status is returned as `Ok`. This method never refreshes the session:
    /// check [`Session::needs_refresh`] before the request, and
    /// [`is_token_refused`](atproto_oauth_core::xrpc::is_token_refused) on the response.
    ///
    /// # Errors
    ///
    /// Fails if the URL of `request` names another server than the PDS of the account, if `session`
    /// was made for another client, or if no response arrived.
    pub fn request(
        &self,
        session: &Session,
        request: Request<Body>,
    ) -> impl Future<Output = Result<ResourceReply, Error>> + Send + 'static + use<> {
        self.driver.run_if(self.client.request(session, request))
    }

    /// Sends `request` with a body that is read from `body` during the transfer.
    /// [`xrpc::upload`](atproto_oauth_core::xrpc::upload) builds such a request.
    ///
    /// `timeout` is the time for one attempt: connection, request and response.
    ///
    /// A body can be sent once only. If no recent nonce of the PDS is known, a small request for
    /// one goes first, at most twice. If the PDS rejects the nonce or the access token all the same
    /// ([`is_nonce_refused`](atproto_oauth_core::xrpc::is_nonce_refused),
    /// [`is_token_refused`](atproto_oauth_core::xrpc::is_token_refused)), call `upload` again with
    /// a new body, in the second case with a refreshed session.
    ///
    /// # Errors
    ///
    /// Fails as [`request`](Self::request) does, or if `body` fails or is too short.
    pub fn upload(
        &self,
        session: &Session,
        request: Request<Body>,
        body: AttachedBody,
        timeout: Duration,
    ) -> impl Future<Output = Result<ResourceReply, Error>> + Send + 'static + use<> {
        let machine = self.client.request(session, request).map(|request| request.timeout(timeout));
        let run = machine.map(|machine| self.driver.run_with_body(machine, body));
        async move { run?.await }
    }

    /// Sends `request`, and returns the head of the response and a stream for its body.
    ///
    /// If the status of the response is not 2xx, the stream is `None`, and the response contains
    /// the body, up to 64 KiB. `timeout` also covers reading the body.
    ///
    /// # Errors
    ///
    /// Fails as [`request`](Self::request) does.
    pub fn download(
        &self,
        session: &Session,
        request: Request<Body>,
        timeout: Duration,
    ) -> impl Future<Output = Result<(ResourceReply, Option<StreamedBody>), Error>>
    + Send
    + 'static
    + use<> {
        let answer = Answer::Streamed { errors: 64 * 1024 };
        let machine = self.client.request(session, request);
        let machine = machine.map(|request| request.timeout(timeout).answer(answer));
        let run = machine.map(|machine| self.driver.run_streaming(machine));
        async move { run?.await }
    }

    /// Spends the session's refresh token, and ends in the session that replaces it.
    ///
    /// Store the new session before any other step, because the old refresh token is single-use.
    /// Refresh a session in one task at a time: hold a lock per account and session id, and read
    /// the session again under the lock. A server ends a session whose refresh token is used twice.
    ///
    /// If the future is dropped while the request is in flight, the session is lost. If the caller
    /// may be cancelled, spawn a task that awaits the future and also stores the outcome.
    ///
    /// # Errors
    ///
    /// Fails if the refresh does not end in a usable session. [`RefreshError::effect`] says whether
    /// the old session can still be used.
    pub fn refresh(
        &self,
        session: Session,
    ) -> impl Future<Output = Result<Refreshed, RefreshError>> + Send + 'static + use<> {
        self.driver.run(self.client.refresh(session))
    }

    /// Spends the refresh token of `credentials`, which another program has stored, and ends in a
    /// new session of the account.
    ///
    /// Store the session, or [`Credentials::of`] it, before any other step, because the old refresh
    /// token is single-use. Adopt the credentials in one process at a time: a server ends a session
    /// whose refresh token is used twice.
    ///
    /// If the future is dropped while the request is in flight, the session is lost. If the caller
    /// may be cancelled, spawn a task that awaits the future and also stores the outcome.
    ///
    /// # Errors
    ///
    /// Fails if the account is not at the PDS of the credentials, or if the server does not issue
    /// usable tokens. [`RefreshError::effect`] says whether the credentials can still be used.
    pub fn adopt(
        &self,
        credentials: Credentials,
    ) -> impl Future<Output = Result<Refreshed, RefreshError>> + Send + 'static + use<> {
        self.driver.run(self.client.adopt(credentials))
    }

    /// Revokes the session's refresh token, then its access token, at the server that issued them.
    ///
    /// # Errors
    ///
    /// Fails if the server did not revoke the tokens. Delete the session in this case, too.
    pub fn revoke(
        &self,
        session: Session,
    ) -> impl Future<Output = Result<Revocation, Error>> + Send + 'static + use<> {
        self.driver.run(self.client.revoke(session))
    }
}
