//! An [`Adapter`] for each [`Transport`].

use atproto_dpop::P256Keys;
use atproto_identity::{DidDocument, Identity, IdentityError, ResolveDid, ResolveIdentity};
use atproto_oauth_core::{
    Authorization, Authorize, CallbackError, CallbackParams, Client, Credentials, Error, LoggedIn,
    Pending, RefreshError, Refreshed, Revocation, Session, Subject,
};
use atproto_sansio::{Body, Call, Machine, Reply, System, drive};
use bytes::Bytes;
use http::{Request, Response};

use crate::flows::Adapter;
use crate::plain_transport;

/// A driver that runs machines.
pub trait Transport {
    /// Name of the driver, for failure messages.
    fn name(&self) -> &'static str;
    /// Performs one call.
    fn perform(&self, call: Call) -> Reply;
    /// Runs a machine to its end.
    ///
    /// # Errors
    ///
    /// Fails if the machine fails.
    fn run<M: Machine>(&self, machine: M) -> Result<M::Output, M::Error>;
}

/// A client whose machines run over a transport.
#[derive(Debug)]
pub struct Over<T> {
    /// The transport.
    pub transport: T,
    /// The client.
    pub client: Client,
}

/// The transport in the README of `atproto-sansio`; it resolves no handles by DNS.
#[derive(Debug)]
pub struct Plain(pub System);

impl Plain {
    /// Returns the transport with an empty memory.
    pub fn new() -> Self {
        Self(System::new(P256Keys))
    }
}

impl Transport for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn perform(&self, call: Call) -> Reply {
        plain_transport::perform(call, true)
    }

    fn run<M: Machine>(&self, machine: M) -> Result<M::Output, M::Error> {
        drive(&self.0, machine, |call| self.perform(call))
    }
}

impl<T: Transport> Adapter for Over<T> {
    fn name(&self) -> &'static str {
        self.transport.name()
    }

    fn perform(&self, call: Call) -> Reply {
        self.transport.perform(call)
    }

    fn client(&self) -> &Client {
        &self.client
    }

    fn authorize(
        &self,
        subject: Subject,
        options: &dyn Fn(Authorize) -> Authorize,
    ) -> Result<Authorization, Error> {
        self.transport.run(options(self.client.authorize(subject)))
    }

    fn callback(
        &self,
        pending: Pending,
        params: CallbackParams,
    ) -> Result<LoggedIn, CallbackError> {
        self.transport.run(self.client.callback(pending, params))
    }

    fn request(&self, session: &Session, request: Request<Body>) -> Result<Response<Bytes>, Error> {
        Ok(self.transport.run(self.client.request(session, request)?)?.response)
    }

    fn refresh(&self, session: Session) -> Result<Refreshed, RefreshError> {
        self.transport.run(self.client.refresh(session))
    }

    fn adopt(&self, credentials: Credentials) -> Result<Refreshed, RefreshError> {
        self.transport.run(self.client.adopt(credentials))
    }

    fn revoke(&self, session: Session) -> Result<Revocation, Error> {
        self.transport.run(self.client.revoke(session))
    }

    fn identity(&self, resolve: ResolveIdentity) -> Result<Identity, IdentityError> {
        self.transport.run(resolve)
    }

    fn document(&self, resolve: ResolveDid) -> Result<DidDocument, IdentityError> {
        self.transport.run(resolve)
    }
}
