//! [`ManagedSession`]: a stored session at hand.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atproto_oauth_core::exports::Did;
use atproto_oauth_core::{
    Error, LoggedOut, Renew, ResourceReply, Session, SessionKey, SessionReply, SessionRequest,
    SessionsError, xrpc,
};
use atproto_sansio::{Answer, Body, Phase, TransportError};
use http::Request;
use serde::Serialize;

use crate::client::OAuthClient;
use crate::streamed::StreamedBody;
use crate::streams::AttachedBody;

/// A stored session at hand: makes requests to the account's PDS, and renews its tokens when it is time.
///
/// While its access token is fresh, the store is not asked. Clones are cheap and share the newest
/// tokens. `Debug` shows no token.
#[derive(Clone)]
pub struct ManagedSession {
    app: OAuthClient,
    key: SessionKey,
    /// The newest tokens. The lock is held only to copy the pointer.
    at_hand: Arc<Mutex<Arc<Session>>>,
}

impl ManagedSession {
    pub(crate) fn new(app: OAuthClient, session: Arc<Session>) -> Self {
        let key = SessionKey::of(&session);
        Self { app, key, at_hand: Arc::new(Mutex::new(session)) }
    }

    /// Key of the session, to be kept in the program's own session or cookie.
    pub fn key(&self) -> &SessionKey {
        &self.key
    }

    /// DID of the account.
    pub fn did(&self) -> &Did {
        self.key.did()
    }

    /// The session as it is at hand: account, PDS, scopes and tokens.
    pub fn at_hand(&self) -> Arc<Session> {
        Arc::clone(&self.at_hand.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Calls an XRPC query at the PDS, which answers itself or asks another service, such as the
    /// AppView for `app.bsky.*`.
    ///
    /// A response of any status is returned: see [`xrpc::check`] and [`xrpc::json`].
    ///
    /// # Errors
    ///
    /// Fails if the session has ended or can't be renewed, or if no response arrived.
    pub async fn query(
        &self,
        nsid: &str,
        params: &[(&str, &str)],
    ) -> Result<ResourceReply, SessionsError> {
        self.request(xrpc::query(nsid, params)?).await
    }

    /// Calls an XRPC procedure at the PDS with this JSON document.
    ///
    /// ```no_run
    /// use atproto_oauth_reqwest::{ManagedSession, xrpc};
    ///
    /// # async fn post(session: ManagedSession) -> Result<(), Box<dyn std::error::Error>> {
    /// let input = serde_json::json!({
    ///     "repo": session.did(),
    ///     "collection": "app.bsky.feed.post",
    ///     "record": {
    ///         "$type": "app.bsky.feed.post",
    ///         "text": "Hello",
    ///         "createdAt": "2026-01-01T00:00:00Z",
    ///     },
    /// });
    /// let reply = session.procedure("com.atproto.repo.createRecord", &[], &input).await?;
    /// let written: serde_json::Value = xrpc::json(&reply.response)?; // an error status is an error
    /// println!("{}", written["uri"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails as [`query`](Self::query) does.
    pub async fn procedure(
        &self,
        nsid: &str,
        params: &[(&str, &str)],
        input: &(impl Serialize + Sync),
    ) -> Result<ResourceReply, SessionsError> {
        self.request(xrpc::procedure(nsid, params, input)?).await
    }

    /// Sends a request to the PDS. [`xrpc`] builds such requests. If the PDS refuses the access token,
    /// the session is renewed, and the request is sent once more.
    ///
    /// # Errors
    ///
    /// Fails as [`query`](Self::query) does, or if the URL names another server than the PDS.
    pub async fn request(&self, request: Request<Body>) -> Result<ResourceReply, SessionsError> {
        let reply = self.app.driver().run(self.machine(request)).await?;
        Ok(self.keep(reply))
    }

    /// Sends a request with a body that is read during the transfer, and can't be repeated. If the body can be made
    /// again, as that of a file, use [`upload_from`](Self::upload_from). [`xrpc::upload`] builds such a request.
    /// `timeout` is the time for one attempt.
    ///
    /// A body can be sent once only. If the PDS has refused the access token after it got the body, the
    /// session is renewed, and the refusal is returned: [`upload_from`](Self::upload_from) then sends a
    /// new body.
    ///
    /// # Errors
    ///
    /// Fails as [`request`](Self::request) does, or if `body` fails or is too short.
    pub async fn upload(
        &self,
        request: Request<Body>,
        body: AttachedBody,
        timeout: Duration,
    ) -> Result<ResourceReply, SessionsError> {
        let machine = self.machine(request).timeout(timeout);
        let reply = self.app.driver().run_with_body(machine, body).await?;
        Ok(self.keep(reply))
    }

    /// Sends a request as [`upload`](Self::upload) does, with a body that `open` makes. If the PDS has
    /// refused the access token or the nonce after it got the body, the request is sent once more, with
    /// a new body.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use atproto_oauth_reqwest::{AttachedBody, ManagedSession, xrpc};
    /// use tokio::fs::File;
    ///
    /// # async fn upload(session: ManagedSession) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = xrpc::upload("com.atproto.repo.uploadBlob", &[], "image/png")?;
    /// let open = async || Ok(AttachedBody::new(File::open("image.png").await?, None));
    /// let reply = session.upload_from(request, open, Duration::from_secs(60)).await?;
    /// let uploaded: serde_json::Value = xrpc::json(&reply.response)?;
    /// println!("{}", uploaded["blob"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails as [`upload`](Self::upload) does, or with a [`TransportError`] if `open` fails.
    pub async fn upload_from<F>(
        &self,
        request: Request<Body>,
        mut open: impl FnMut() -> F,
        timeout: Duration,
    ) -> Result<ResourceReply, SessionsError>
    where
        F: Future<Output = io::Result<AttachedBody>>,
    {
        let body = open().await.map_err(|error| not_opened(&error))?;
        let reply = self.upload(request.clone(), body, timeout).await?;
        if !reply.wants_another_body() {
            return Ok(reply);
        }
        let body = open().await.map_err(|error| not_opened(&error))?;
        self.upload(request, body, timeout).await
    }

    /// Sends a request, and returns the head of the response and its body unread.
    ///
    /// If the status of the response is not 2xx, the second value is `None`, and the response contains
    /// the body, up to 64 KiB. `timeout` also covers reading the body.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use atproto_oauth_reqwest::{ManagedSession, xrpc};
    ///
    /// # async fn download(session: ManagedSession, cid: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// let params = [("did", session.did().as_str()), ("cid", cid)];
    /// let request = xrpc::query("com.atproto.sync.getBlob", &params)?;
    /// let (reply, body) = session.download(request, Duration::from_secs(60)).await?;
    /// let Some(mut body) = body else { return Ok(xrpc::check(&reply.response)?) };
    /// while let Some(piece) = body.next().await {
    ///     println!("{} bytes", piece?.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails as [`request`](Self::request) does.
    pub async fn download(
        &self,
        request: Request<Body>,
        timeout: Duration,
    ) -> Result<(ResourceReply, Option<StreamedBody>), SessionsError> {
        let answer = Answer::Streamed { errors: 64 * 1024 };
        let machine = self.machine(request).timeout(timeout).answer(answer);
        let (reply, body) = self.app.driver().run_streaming(machine).await?;
        Ok((self.keep(reply), body))
    }

    /// Renews the session now, whether or not its access token is about to expire.
    ///
    /// # Errors
    ///
    /// Fails if the session has ended or can't be renewed, or if the store fails.
    pub async fn refresh(&self) -> Result<(), SessionsError> {
        let renewed = self.app.restore_with(&self.key, Renew::Always).await?;
        self.put(renewed.at_hand());
        Ok(())
    }

    /// Logs the session out, as [`OAuthClient::revoke`] does.
    ///
    /// # Errors
    ///
    /// Fails as [`OAuthClient::revoke`] does.
    pub async fn revoke(&self) -> Result<LoggedOut, SessionsError> {
        self.app.revoke(&self.key).await
    }

    fn machine(&self, request: Request<Body>) -> SessionRequest {
        self.app.sessions().request(self.at_hand(), request)
    }

    fn keep(&self, reply: SessionReply) -> ResourceReply {
        self.put(reply.session);
        reply.reply
    }

    /// Keeps the session if it is newer than the one at hand.
    fn put(&self, session: Arc<Session>) {
        let mut at_hand = self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        if session.updated_at() >= at_hand.updated_at() {
            *at_hand = session;
        }
    }
}

fn not_opened(error: &io::Error) -> Error {
    TransportError::new(Phase::NotSent, format!("the body can't be opened: {error}")).into()
}

impl fmt::Debug for ManagedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedSession").field("key", &self.key).finish_non_exhaustive()
    }
}
