//! The procedures of a client, each run to its end.

use std::io::Read;
use std::time::Duration;

use atproto_oauth_core::{
    Authorization, Authorize, CallbackError, CallbackParams, Client, Error, LoggedIn, Pending,
    RefreshError, Refreshed, ResourceReply, Revocation, Session, Subject,
};
use atproto_sansio::{Answer, Body};
use http::Request;

use crate::driver::Driver;
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
    pub fn authorize(&self, subject: Subject) -> Result<Authorization, Error> {
        self.authorize_with(subject, |authorize| authorize)
    }

    /// Begins a login with options, such as a redirect URI or scopes.
    ///
    /// # Errors
    ///
    /// The account or its server was not found, or the server refused.
    pub fn authorize_with(
        &self,
        subject: Subject,
        options: impl FnOnce(Authorize) -> Authorize,
    ) -> Result<Authorization, Error> {
        self.driver.run(options(self.client.authorize(subject)))
    }

    /// Finishes a login with what the browser brought back.
    ///
    /// # Errors
    ///
    /// The login was denied, or what came back must not be used; no token remains in use.
    pub fn callback(
        &self,
        pending: Pending,
        params: CallbackParams,
    ) -> Result<LoggedIn, CallbackError> {
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
    ) -> Result<ResourceReply, Error> {
        self.driver.run(self.client.request(session, request)?)
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
        body: AttachedBody<'_>,
        timeout: Duration,
    ) -> Result<ResourceReply, Error> {
        let request = self.client.request(session, request)?.timeout(timeout);
        self.driver.run_with_body(request, body)
    }

    /// Sends a request whose answer, if it is a success, is read while it arrives: the head, and
    /// what reads the body. Any other answer is whole.
    ///
    /// # Errors
    ///
    /// The request leads to another server, or brought no answer.
    #[expect(clippy::type_complexity, reason = "a name for it would say less")]
    pub fn download(
        &self,
        session: &Session,
        request: Request<Body>,
        timeout: Duration,
    ) -> Result<(ResourceReply, Option<Box<dyn Read + Send>>), Error> {
        let request = self.client.request(session, request)?.timeout(timeout);
        let request = request.answer(Answer::Streamed { errors: 64 * 1024 });
        self.driver.run_streaming(request)
    }

    /// Spends the session's refresh token: store the new session before anything else.
    ///
    /// # Errors
    ///
    /// There is no new session; the error tells what that means for the old one.
    pub fn refresh(&self, session: Session) -> Result<Refreshed, RefreshError> {
        self.driver.run(self.client.refresh(session))
    }

    /// Logs out.
    ///
    /// # Errors
    ///
    /// The server did not revoke the tokens; forget them all the same.
    pub fn revoke(&self, session: Session) -> Result<Revocation, Error> {
        self.driver.run(self.client.revoke(session))
    }
}
