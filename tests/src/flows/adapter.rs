//! One interface for all drivers, so that each flow can run with each driver.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::task::{Context, Poll};
use std::time::Duration;

use atproto_identity::{DidDocument, Identity, IdentityError, ResolveDid, ResolveIdentity};
use atproto_oauth_core::{
    Authorization, Authorize, CallbackError, CallbackParams, Client, Credentials, Error, LoggedIn,
    Pending, RefreshError, Refreshed, Revocation, Session, Subject,
};
use atproto_sansio::{Body, Call, Reply};
use bytes::Bytes;
use http::{Request, Response};
use tokio::runtime::Runtime;

/// A client with its own driver and memory, whose methods block until the procedure ends.
pub trait Adapter {
    /// Name of the driver, for failure messages.
    fn name(&self) -> &'static str;
    /// Performs one call.
    fn perform(&self, call: Call) -> Reply;
    /// The client whose procedures run.
    fn client(&self) -> &Client;
    /// Runs [`Authorize`], after `options` has configured it, and ends in the URL to open.
    ///
    /// # Errors
    ///
    /// Fails if the machine fails.
    fn authorize(
        &self,
        subject: Subject,
        options: &dyn Fn(Authorize) -> Authorize,
    ) -> Result<Authorization, Error>;
    /// Exchanges the code of a callback for a session.
    ///
    /// # Errors
    ///
    /// Fails if the machine fails.
    fn callback(&self, pending: Pending, params: CallbackParams)
    -> Result<LoggedIn, CallbackError>;
    /// Sends a request to the PDS of the session, and returns the response with its body.
    ///
    /// # Errors
    ///
    /// Fails if the client rejects the request, or if there is no response.
    fn request(&self, session: &Session, request: Request<Body>) -> Result<Response<Bytes>, Error>;
    /// Refreshes the tokens of a session.
    ///
    /// # Errors
    ///
    /// Fails if the machine fails.
    fn refresh(&self, session: Session) -> Result<Refreshed, RefreshError>;
    /// Makes a session from credentials.
    ///
    /// # Errors
    ///
    /// Fails if the machine fails.
    fn adopt(&self, credentials: Credentials) -> Result<Refreshed, RefreshError>;
    /// Revokes the tokens of a session.
    ///
    /// # Errors
    ///
    /// Fails if the machine fails.
    fn revoke(&self, session: Session) -> Result<Revocation, Error>;
    /// Resolves a handle or DID to a verified identity.
    ///
    /// # Errors
    ///
    /// Fails if the machine fails.
    fn identity(&self, resolve: ResolveIdentity) -> Result<Identity, IdentityError>;
    /// Fetches the document of a DID.
    ///
    /// # Errors
    ///
    /// Fails if the machine fails.
    fn document(&self, resolve: ResolveDid) -> Result<DidDocument, IdentityError>;
}

/// An adapter that streams request and response bodies, so that no body is in memory as a whole.
pub trait Streaming: Adapter {
    /// Sends a request whose body is `file`, of `length` bytes.
    ///
    /// # Errors
    ///
    /// Fails if the client rejects the request, or if there is no response.
    fn upload(
        &self,
        session: &Session,
        request: Request<Body>,
        file: &File,
        length: u64,
    ) -> Result<Response<Bytes>, Error>;
    /// Sends a request, writes the body of its response to `file`, and returns the response without
    /// a body.
    ///
    /// # Errors
    ///
    /// Fails if the client rejects the request, or if there is no response.
    fn download(
        &self,
        session: &Session,
        request: Request<Body>,
        file: &File,
    ) -> Result<Response<Bytes>, Error>;
}

/// The reqwest adapter with a Tokio runtime that blocks on its futures.
#[derive(Debug)]
pub struct Asynchronous {
    /// The runtime.
    pub runtime: Runtime,
    /// The adapter.
    pub client: atproto_oauth_reqwest::StatelessClient,
}

/// Timeout of an upload or download.
const TIME: Duration = Duration::from_secs(120);

/// Bytes of one chunk of an upload.
const CHUNK: usize = 64 * 1024;

impl Asynchronous {
    /// Starts a runtime, and builds the driver by `build` within the runtime.
    ///
    /// # Panics
    ///
    /// Panics if the runtime cannot be started.
    pub fn new(client: Client, build: impl FnOnce() -> atproto_oauth_reqwest::Driver) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let driver = runtime.block_on(async { build() });
        Self {
            runtime,
            client: atproto_oauth_reqwest::StatelessClient::with_driver(client, driver),
        }
    }
}

impl Adapter for atproto_oauth_ureq::StatelessClient {
    fn name(&self) -> &'static str {
        "ureq"
    }

    fn perform(&self, call: Call) -> Reply {
        self.driver().perform(call)
    }

    fn client(&self) -> &Client {
        self.client()
    }

    fn authorize(
        &self,
        subject: Subject,
        options: &dyn Fn(Authorize) -> Authorize,
    ) -> Result<Authorization, Error> {
        self.authorize_with(subject, options)
    }

    fn callback(
        &self,
        pending: Pending,
        params: CallbackParams,
    ) -> Result<LoggedIn, CallbackError> {
        self.callback(pending, params)
    }

    fn request(&self, session: &Session, request: Request<Body>) -> Result<Response<Bytes>, Error> {
        Ok(self.request(session, request)?.response)
    }

    fn refresh(&self, session: Session) -> Result<Refreshed, RefreshError> {
        self.refresh(session)
    }

    fn adopt(&self, credentials: Credentials) -> Result<Refreshed, RefreshError> {
        self.adopt(credentials)
    }

    fn revoke(&self, session: Session) -> Result<Revocation, Error> {
        self.revoke(session)
    }

    fn identity(&self, resolve: ResolveIdentity) -> Result<Identity, IdentityError> {
        self.driver().run(resolve)
    }

    fn document(&self, resolve: ResolveDid) -> Result<DidDocument, IdentityError> {
        self.driver().run(resolve)
    }
}

impl Streaming for atproto_oauth_ureq::StatelessClient {
    fn upload(
        &self,
        session: &Session,
        request: Request<Body>,
        file: &File,
        length: u64,
    ) -> Result<Response<Bytes>, Error> {
        let body = atproto_oauth_ureq::AttachedBody::new(BufReader::new(file), Some(length));
        Ok(self.upload(session, request, body, TIME)?.response)
    }

    fn download(
        &self,
        session: &Session,
        request: Request<Body>,
        mut file: &File,
    ) -> Result<Response<Bytes>, Error> {
        let (head, body) = self.download(session, request, TIME)?;
        std::io::copy(&mut body.unwrap(), &mut file).unwrap();
        Ok(head.response)
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

    fn authorize(
        &self,
        subject: Subject,
        options: &dyn Fn(Authorize) -> Authorize,
    ) -> Result<Authorization, Error> {
        self.runtime.block_on(self.client.authorize_with(subject, options))
    }

    fn callback(
        &self,
        pending: Pending,
        params: CallbackParams,
    ) -> Result<LoggedIn, CallbackError> {
        self.runtime.block_on(self.client.callback(pending, params))
    }

    fn request(&self, session: &Session, request: Request<Body>) -> Result<Response<Bytes>, Error> {
        Ok(self.runtime.block_on(self.client.request(session, request))?.response)
    }

    fn refresh(&self, session: Session) -> Result<Refreshed, RefreshError> {
        self.runtime.block_on(self.client.refresh(session))
    }

    fn adopt(&self, credentials: Credentials) -> Result<Refreshed, RefreshError> {
        self.runtime.block_on(self.client.adopt(credentials))
    }

    fn revoke(&self, session: Session) -> Result<Revocation, Error> {
        self.runtime.block_on(self.client.revoke(session))
    }

    fn identity(&self, resolve: ResolveIdentity) -> Result<Identity, IdentityError> {
        self.runtime.block_on(self.client.driver().run(resolve))
    }

    fn document(&self, resolve: ResolveDid) -> Result<DidDocument, IdentityError> {
        self.runtime.block_on(self.client.driver().run(resolve))
    }
}

impl Streaming for Asynchronous {
    fn upload(
        &self,
        session: &Session,
        request: Request<Body>,
        file: &File,
        length: u64,
    ) -> Result<Response<Bytes>, Error> {
        let mut reader = BufReader::with_capacity(CHUNK, file.try_clone().unwrap());
        let chunks = move |_: &mut Context<'_>| {
            let mut chunk = vec![0; CHUNK];
            Poll::Ready(match reader.read(&mut chunk) {
                Ok(0) => None,
                Ok(length) => {
                    chunk.truncate(length);
                    Some(Ok(Bytes::from(chunk)))
                }
                Err(error) => Some(Err(error)),
            })
        };
        let body = atproto_oauth_reqwest::AttachedBody::from_poll(chunks, Some(length));
        Ok(self.runtime.block_on(self.client.upload(session, request, body, TIME))?.response)
    }

    fn download(
        &self,
        session: &Session,
        request: Request<Body>,
        mut file: &File,
    ) -> Result<Response<Bytes>, Error> {
        self.runtime.block_on(async {
            let (head, body) = self.client.download(session, request, TIME).await?;
            let mut body = body.unwrap();
            while let Some(chunk) = body.next().await {
                file.write_all(&chunk.unwrap()).unwrap();
            }
            Ok(head.response)
        })
    }
}
