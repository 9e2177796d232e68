//! The procedures of a client, each run to its end.

use std::time::Duration;

use atproto_oauth_core::{
    Authorization, Authorize, CallbackError, CallbackParams, Client, Error, LoggedIn, Pending,
    RefreshError, Refreshed, ResourceReply, Revocation, Session, Subject,
};
use atproto_sansio::{Answer, Body};
use http::Request;

use crate::driver::Driver;
use crate::streamed::StreamedBody;
use crate::streams::AttachedBody;

/// A client and the driver that runs its procedures. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    client: Client,
    driver: Driver,
}

impl OAuthClient {
    /// Runs the procedures of `client` on a driver with the default settings
    /// ([`Driver::default`]). A client for a development network needs
    /// [`with_driver`](Self::with_driver), and a driver that was built for one, too.
    pub fn new(client: Client) -> Self {
        Self::with_driver(client, Driver::default())
    }

    /// Runs the procedures of `client` on `driver`.
    pub fn with_driver(client: Client, driver: Driver) -> Self {
        Self { client, driver }
    }

    /// The client, for procedures that need options; run them on [`driver`](Self::driver).
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What runs the procedures.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Begins a login: keep what is pending, and send the browser to the URL.
    ///
    /// # Errors
    ///
    /// The account or its server was not found, or the server refused.
    pub fn authorize(
        &self,
        subject: Subject,
    ) -> impl Future<Output = Result<Authorization, Error>> + Send + 'static + use<> {
        self.authorize_with(subject, |authorize| authorize)
    }

    /// Begins a login with options, such as a redirect URI or scopes.
    ///
    /// # Errors
    ///
    /// The account or its server was not found, or the server refused.
    pub fn authorize_with<O: FnOnce(Authorize) -> Authorize>(
        &self,
        subject: Subject,
        options: O,
    ) -> impl Future<Output = Result<Authorization, Error>> + Send + 'static + use<O> {
        self.driver.run(options(self.client.authorize(subject)))
    }

    /// Finishes a login with what the browser brought back.
    ///
    /// A code can be spent once, so dropping the future may waste the login.
    ///
    /// # Errors
    ///
    /// The login was denied, or what came back must not be used; no token remains in use.
    pub fn callback(
        &self,
        pending: Pending,
        params: CallbackParams,
    ) -> impl Future<Output = Result<LoggedIn, CallbackError>> + Send + 'static + use<> {
        self.driver.run(self.client.callback(pending, params))
    }

    /// Sends a request to the account's server; see [`xrpc`](atproto_oauth_core::xrpc).
    ///
    /// Any status is an answer. A token is never refreshed behind the caller's back: ask
    /// [`Session::needs_refresh`] before, and
    /// [`is_token_refused`](atproto_oauth_core::xrpc::is_token_refused) after.
    ///
    /// # Errors
    ///
    /// The request leads to another server, or brought no answer.
    pub fn request(
        &self,
        session: &Session,
        request: Request<Body>,
    ) -> impl Future<Output = Result<ResourceReply, Error>> + Send + 'static + use<> {
        let run = self.client.request(session, request).map(|machine| self.driver.run(machine));
        async move { run?.await }
    }

    /// Sends a request whose body is read from `body` while it is sent, such as
    /// [`xrpc::upload`](atproto_oauth_core::xrpc::upload) makes.
    ///
    /// # Errors
    ///
    /// The request leads to another server, or brought no answer.
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

    /// Sends a request whose answer, if it is a success, is read while it arrives: the head, and
    /// what reads the body. Any other answer is whole.
    ///
    /// # Errors
    ///
    /// The request leads to another server, or brought no answer.
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

    /// Spends the session's refresh token: store the new session before anything else.
    ///
    /// Dropping the future while the request is on its way loses the session. Await it in a task
    /// of its own, which also stores the outcome, wherever the caller may be cancelled.
    ///
    /// # Errors
    ///
    /// There is no new session; the error tells what that means for the old one.
    pub fn refresh(
        &self,
        session: Session,
    ) -> impl Future<Output = Result<Refreshed, RefreshError>> + Send + 'static + use<> {
        self.driver.run(self.client.refresh(session))
    }

    /// Logs out.
    ///
    /// # Errors
    ///
    /// The server did not revoke the tokens; forget them all the same.
    pub fn revoke(
        &self,
        session: Session,
    ) -> impl Future<Output = Result<Revocation, Error>> + Send + 'static + use<> {
        self.driver.run(self.client.revoke(session))
    }
}
