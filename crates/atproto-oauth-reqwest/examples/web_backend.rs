//! The part of a web backend that logs users in, for the handlers of any web framework: a
//! confidential client and its documents, login, callback, requests that refresh the session,
//! logout.
//!
//! `cargo run -p atproto-oauth-reqwest --example web_backend` prints the two documents of the
//! client. If they were published, and `HANDLE` names a user, it would log that user in.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use atproto_oauth_reqwest::tokio::{self, sync::Mutex};
use atproto_oauth_reqwest::{
    CallbackParams, Client, ClientBuilder, ClientKey, Pending, ResourceReply, RingKeys, Scopes,
    Session, SessionEffect, StatelessClient, Subject, System, SystemEntropy, UnixTime, url::Url,
    xrpc,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A session, or nothing after it has ended.
type Entry = Arc<Mutex<Option<Session>>>;

/// The state of the backend. A real one keeps both maps in a database, as the text of `to_json`.
pub(crate) struct Backend {
    oauth: StatelessClient,
    /// Logins that wait for their callback, by `state`.
    pending: Mutex<HashMap<String, Pending>>,
    /// Sessions by the value of the user's session cookie. Each has a lock of its own, so that it
    /// is refreshed in one task at a time.
    sessions: Arc<Mutex<HashMap<String, Entry>>>,
}

/// The client. The backend serves its metadata document at its `client_id`, and its JWKS.
pub(crate) fn client(key: ClientKey) -> Result<ClientBuilder> {
    Ok(Client::web("https://app.client.dev/c.json", Scopes::parse("atproto transition:generic")?)
        .redirect_uri("https://app.client.dev/callback")
        .jwks_uri("https://app.client.dev/jwks.json".parse()?)
        .key(key))
}

impl Backend {
    /// A backend without logins and sessions.
    pub(crate) fn new(oauth: StatelessClient) -> Self {
        Self { oauth, pending: Mutex::default(), sessions: Arc::default() }
    }

    /// `POST /login`: the URL to redirect to, and the value of a cookie that lasts ten minutes.
    pub(crate) async fn login(&self, handle: &str) -> Result<(Url, String)> {
        let login = self.oauth.authorize(Subject::parse(handle)?).await?;
        let state = login.pending.state().to_owned();
        self.pending.lock().await.insert(state.clone(), login.pending);
        Ok((login.url, state))
    }

    /// `GET /callback`: the value of the session cookie.
    pub(crate) async fn callback(&self, query: &str, login_cookie: &str) -> Result<String> {
        let params = CallbackParams::parse(query)?;
        if params.state() != login_cookie {
            return Err("this browser did not begin the login".into());
        }
        let pending = self.pending.lock().await.remove(params.state());
        let pending = pending.ok_or("the login has expired or was finished already")?;
        // If the browser goes away, a dropped exchange of the code would lose the login.
        let (oauth, sessions) = (self.oauth.clone(), Arc::clone(&self.sessions));
        tokio::spawn(async move {
            let session = oauth.callback(pending, params).await?.session;
            let cookie = session.session_id().to_owned();
            let entry = Arc::new(Mutex::new(Some(session)));
            sessions.lock().await.insert(cookie.clone(), entry);
            Ok(cookie)
        })
        .await?
    }

    /// Makes a query for the user, and refreshes the session before or after it if need be.
    pub(crate) async fn query(
        &self,
        cookie: &str,
        nsid: &str,
        now: UnixTime,
    ) -> Result<ResourceReply> {
        let entry = self.sessions.lock().await.get(cookie).cloned().ok_or("log in first")?;
        let session = self.session(&entry, move |session| session.needs_refresh(now)).await?;
        let reply = self.oauth.request(&session, xrpc::query(nsid, &[])?).await?;
        if !xrpc::is_token_refused(&reply.response) || !session.can_refresh() {
            return Ok(reply);
        }
        // Another request may have refreshed the session meanwhile.
        let refused = session.access_token().clone();
        let is_refused =
            move |session: &Session| session.access_token().expose() == refused.expose();
        let session = self.session(&entry, is_refused).await?;
        Ok(self.oauth.request(&session, xrpc::query(nsid, &[])?).await?)
    }

    /// `POST /logout`.
    pub(crate) async fn logout(&self, cookie: &str) -> Result<()> {
        let entry = self.sessions.lock().await.remove(cookie);
        let session = match entry {
            Some(entry) => entry.lock().await.take(),
            None => None,
        };
        if let Some(session) = session {
            self.oauth.revoke(session).await?;
        }
        Ok(())
    }

    /// Returns the stored session, refreshed if it `is_stale`. One task at a time refreshes a
    /// session. The task is spawned: if the browser goes away, a dropped refresh would lose the
    /// session.
    async fn session(
        &self,
        entry: &Entry,
        is_stale: impl FnOnce(&Session) -> bool + Send + 'static,
    ) -> Result<Session> {
        let (oauth, entry) = (self.oauth.clone(), Arc::clone(entry));
        tokio::spawn(async move {
            let mut slot = entry.lock().await;
            let session = slot.clone().ok_or("log in again")?;
            if !is_stale(&session) || !session.can_refresh() {
                return Ok(session);
            }
            match oauth.refresh(session).await {
                // The new session is stored before it is used.
                Ok(refreshed) => Ok(slot.insert(refreshed.session).clone()),
                Err(error) => {
                    if matches!(error.effect, SessionEffect::Dead | SessionEffect::NeedsReauth) {
                        *slot = None;
                    } else if let Some(noted) = &error.session {
                        *slot = Some((**noted).clone());
                    }
                    Err(error.into())
                }
            }
        })
        .await?
    }
}

/// Serves one user, with the terminal in place of the browser.
async fn serve(backend: Backend, handle: &str) -> Result<()> {
    let (url, login_cookie) = backend.login(handle).await?;
    println!("Open {url}\nand enter the URL that the browser comes back to:");
    let mut callback = String::new();
    std::io::stdin().read_line(&mut callback)?;
    let cookie = backend.callback(&callback, &login_cookie).await?;
    let reply = backend.query(&cookie, "com.atproto.server.getSession", System::now()).await?;
    println!("{}", String::from_utf8_lossy(reply.response.body()));
    backend.logout(&cookie).await
}

pub(crate) fn main() -> Result<()> {
    // A real backend reads its key: `ClientKey::parse(&text, &RingKeys)`.
    let key = ClientKey::generate(&RingKeys, &mut SystemEntropy)?;
    let client = client(key)?.build()?;
    println!("{}:\n{}", client.client_id(), client.metadata().unwrap_or_default());
    println!("https://app.client.dev/jwks.json:\n{}", client.jwks());
    let Ok(handle) = std::env::var("HANDLE") else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(Backend::new(StatelessClient::new(client)), &handle))
}
