//! What runs a client's procedures, behind one interface, so that one flow holds for all.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::task::{Context, Poll};
use std::time::Duration;

use atproto_identity::{DidDocument, Identity, IdentityError, ResolveDid, ResolveIdentity};
use atproto_oauth_core::{
    Authorization, Authorize, CallbackError, CallbackParams, Client, Error, LoggedIn, Pending,
    RefreshError, Refreshed, Revocation, Session, Subject,
};
use atproto_sansio::{Body, Call, Reply};
use bytes::Bytes;
use http::{Request, Response};
use tokio::runtime::Runtime;

/// A client in a process of its own, which blocks until a procedure has ended.
pub trait Adapter {
    /// What it is called in reports.
    fn name(&self) -> &'static str;
    /// Performs one call.
    fn perform(&self, call: Call) -> Reply;
    /// The client that it is of.
    fn client(&self) -> &Client;
    /// Begins a login.
    ///
    /// # Errors
    ///
    /// What it ends in.
    fn authorize(
        &self,
        subject: Subject,
        options: &dyn Fn(Authorize) -> Authorize,
    ) -> Result<Authorization, Error>;
    /// Finishes a login.
    ///
    /// # Errors
    ///
    /// What it ends in.
    fn callback(&self, pending: Pending, params: CallbackParams)
    -> Result<LoggedIn, CallbackError>;
    /// Asks the account's server.
    ///
    /// # Errors
    ///
    /// There is no answer.
    fn request(&self, session: &Session, request: Request<Body>) -> Result<Response<Bytes>, Error>;
    /// Spends a refresh token.
    ///
    /// # Errors
    ///
    /// What it ends in.
    fn refresh(&self, session: Session) -> Result<Refreshed, RefreshError>;
    /// Logs out.
    ///
    /// # Errors
    ///
    /// What it ends in.
    fn revoke(&self, session: Session) -> Result<Revocation, Error>;
    /// Finds out who somebody is.
    ///
    /// # Errors
    ///
    /// What it ends in.
    fn identity(&self, resolve: ResolveIdentity) -> Result<Identity, IdentityError>;
    /// Fetches the document of a DID.
    ///
    /// # Errors
    ///
    /// What it ends in.
    fn document(&self, resolve: ResolveDid) -> Result<DidDocument, IdentityError>;
}

/// An adapter that sends files and receives into them, without holding them whole.
pub trait Streaming: Adapter {
    /// Sends a request whose body is the file, of this length.
    ///
    /// # Errors
    ///
    /// There is no answer.
    fn upload(
        &self,
        session: &Session,
        request: Request<Body>,
        file: &File,
        length: u64,
    ) -> Result<Response<Bytes>, Error>;
    /// Sends a request whose answer is written to the file: its head.
    ///
    /// # Errors
    ///
    /// There is no answer.
    fn download(
        &self,
        session: &Session,
        request: Request<Body>,
        file: &File,
    ) -> Result<Response<Bytes>, Error>;
}

/// The async adapter and a runtime for it.
#[derive(Debug)]
pub struct Asynchronous {
    /// Where it runs.
    pub runtime: Runtime,
    /// The adapter.
    pub client: atproto_oauth_reqwest::OAuthClient,
}

/// How long a large body may take.
const TIME: Duration = Duration::from_secs(120);

const PIECE: usize = 64 * 1024;

impl Asynchronous {
    /// The adapter with a runtime of its own; `build` is called within that.
    ///
    /// # Panics
    ///
    /// There is no runtime.
    pub fn new(client: Client, build: impl FnOnce() -> atproto_oauth_reqwest::Driver) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let driver = runtime.block_on(async { build() });
        Self { runtime, client: atproto_oauth_reqwest::OAuthClient::with_driver(client, driver) }
    }
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

impl Streaming for atproto_oauth_ureq::OAuthClient {
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
        let mut reader = BufReader::with_capacity(PIECE, file.try_clone().unwrap());
        let pieces = move |_: &mut Context<'_>| {
            let mut piece = vec![0; PIECE];
            Poll::Ready(match reader.read(&mut piece) {
                Ok(0) => None,
                Ok(length) => {
                    piece.truncate(length);
                    Some(Ok(Bytes::from(piece)))
                }
                Err(error) => Some(Err(error)),
            })
        };
        let body = atproto_oauth_reqwest::AttachedBody::from_poll(pieces, Some(length));
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
            while let Some(piece) = body.next().await {
                file.write_all(&piece.unwrap()).unwrap();
            }
            Ok(head.response)
        })
    }
}
