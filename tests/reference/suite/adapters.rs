//! Both adapters behind one interface, so that one test holds for both.

use atproto_oauth_core::{
    Authorization, Authorize, CallbackError, CallbackParams, Client, Error, LoggedIn, Pending,
    RefreshError, Refreshed, Revocation, Session,
};
use atproto_oauth_tests::plain_transport;
use atproto_sansio::{Body, Call, Machine, Reply, System, drive};
use bytes::Bytes;
use http::{Request, Response};
use tokio::runtime::Runtime;

/// A client over some transport, which blocks until a procedure has ended.
pub(crate) trait Adapter {
    fn name(&self) -> &'static str;
    fn perform(&self, call: Call) -> Reply;
    fn client(&self) -> &Client;
    fn authorize(&self, authorize: Authorize) -> Result<Authorization, Error>;
    fn callback(&self, pending: Pending, params: CallbackParams)
    -> Result<LoggedIn, CallbackError>;
    fn request(&self, session: &Session, request: Request<Body>) -> Result<Response<Bytes>, Error>;
    fn refresh(&self, session: Session) -> Result<Refreshed, RefreshError>;
    fn revoke(&self, session: Session) -> Result<Revocation, Error>;
}

/// The async adapter and a runtime for it.
pub(crate) struct Asynchronous {
    pub(crate) runtime: Runtime,
    pub(crate) client: atproto_oauth_reqwest::OAuthClient,
}

/// The transport that the README shows.
pub(crate) struct Plain {
    pub(crate) client: Client,
    pub(crate) system: System,
}

impl Adapter for atproto_oauth_ureq::OAuthClient {
    fn name(&self) -> &'static str {
        "ureq"
    }

    fn perform(&self, call: Call) -> Reply {
        self.driver().perform(call)
    }

    fn client(&self) -> &Client {
        self.client()
    }

    fn authorize(&self, authorize: Authorize) -> Result<Authorization, Error> {
        self.driver().run(authorize)
    }

    fn callback(
        &self,
        pending: Pending,
        params: CallbackParams,
    ) -> Result<LoggedIn, CallbackError> {
        self.callback(pending, params)
    }

    fn request(&self, session: &Session, request: Request<Body>) -> Result<Response<Bytes>, Error> {
        self.request(session, request)
    }

    fn refresh(&self, session: Session) -> Result<Refreshed, RefreshError> {
        self.refresh(session)
    }

    fn revoke(&self, session: Session) -> Result<Revocation, Error> {
        self.revoke(session)
    }
}

impl Adapter for Asynchronous {
    fn name(&self) -> &'static str {
        "reqwest"
    }

    fn perform(&self, call: Call) -> Reply {
        self.runtime.block_on(self.client.driver().perform(call))
    }

    fn client(&self) -> &Client {
        self.client.client()
    }

    fn authorize(&self, authorize: Authorize) -> Result<Authorization, Error> {
        self.runtime.block_on(self.client.driver().run(authorize))
    }

    fn callback(
        &self,
        pending: Pending,
        params: CallbackParams,
    ) -> Result<LoggedIn, CallbackError> {
        self.runtime.block_on(self.client.callback(pending, params))
    }

    fn request(&self, session: &Session, request: Request<Body>) -> Result<Response<Bytes>, Error> {
        self.runtime.block_on(self.client.request(session, request))
    }

    fn refresh(&self, session: Session) -> Result<Refreshed, RefreshError> {
        self.runtime.block_on(self.client.refresh(session))
    }

    fn revoke(&self, session: Session) -> Result<Revocation, Error> {
        self.runtime.block_on(self.client.revoke(session))
    }
}

impl Plain {
    fn run<M: Machine>(&self, machine: M) -> Result<M::Output, M::Error> {
        drive(&self.system, machine, |call| plain_transport::perform(call, true))
    }
}

impl Adapter for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn perform(&self, call: Call) -> Reply {
        plain_transport::perform(call, true)
    }

    fn client(&self) -> &Client {
        &self.client
    }

    fn authorize(&self, authorize: Authorize) -> Result<Authorization, Error> {
        self.run(authorize)
    }

    fn callback(
        &self,
        pending: Pending,
        params: CallbackParams,
    ) -> Result<LoggedIn, CallbackError> {
        self.run(self.client.callback(pending, params))
    }

    fn request(&self, session: &Session, request: Request<Body>) -> Result<Response<Bytes>, Error> {
        Ok(self.run(self.client.request(session, request)?)?.output)
    }

    fn refresh(&self, session: Session) -> Result<Refreshed, RefreshError> {
        self.run(self.client.refresh(session))
    }

    fn revoke(&self, session: Session) -> Result<Revocation, Error> {
        self.run(self.client.revoke(session))
    }
}
