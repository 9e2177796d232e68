//! Tests: managed sessions over both adapters, with stores of their crate.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atproto_identity::Resolver;
use atproto_oauth_core::{
    Binding, CallbackParams, Client, ConfigError, DeletedCause, Error, Revocation, Scopes,
    SessionChange, SessionError, xrpc,
};
use atproto_oauth_sandbox::{Fault, Served};
use atproto_oauth_store::{
    Deleted, Expect, FileStore, Listing, MemoryStore, Record, Saved, SecretBytes, Store,
    StoreError, StoreErrorKind, UnixTime,
};
use tempfile::TempDir;

pub(crate) const ALICE: &str = "alice.test";

pub(crate) fn client(served: &Served) -> Client {
    let plc = served.names().plc.parse().unwrap();
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    let client = Client::loopback(scopes).redirect_path("/callback").development();
    client.resolver(Resolver::new().with_directories([plc])).build().unwrap()
}

/// Sets the lifetime of new access tokens. After a second, a token is renewed before it is used.
fn set_token_lifetime(served: &Served, lifetime: Duration) {
    let mut sandbox = served.sandbox();
    let pds = sandbox.find_server(&sandbox.names().pds).unwrap();
    sandbox.set_access_token_lifetime(pds, lifetime);
}

fn count_refreshes(change: &SessionChange, count: &AtomicUsize) {
    if matches!(change, SessionChange::Refreshed) {
        count.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) fn blocking(
    served: &Served,
    folder: &TempDir,
    refreshes: &Arc<AtomicUsize>,
) -> atproto_oauth_ureq::OAuthClient {
    let (nameserver, hosts) = (served.nameserver(), served.hosts());
    let refreshes = Arc::clone(refreshes);
    atproto_oauth_ureq::OAuthClient::builder(client(served))
        .store(FileStore::open(folder.path().join("sessions")).unwrap())
        .driver(|driver| {
            let driver = driver.nameserver(nameserver);
            hosts.into_iter().fold(driver, |driver, (host, at)| driver.host_override(&host, at))
        })
        .on_event(move |event| count_refreshes(&event.change, &refreshes))
        .plaintext_at_rest()
        .build()
        .unwrap()
}

pub(crate) fn asynchronous(
    served: &Served,
    store: Arc<MemoryStore>,
    refreshes: &Arc<AtomicUsize>,
) -> atproto_oauth_reqwest::OAuthClient {
    let (nameserver, hosts) = (served.nameserver(), served.hosts());
    let refreshes = Arc::clone(refreshes);
    atproto_oauth_reqwest::OAuthClient::builder(client(served))
        .store(store)
        .driver(|driver| {
            let driver = driver.nameserver(nameserver);
            hosts.into_iter().fold(driver, |driver, (host, at)| driver.host_override(&host, at))
        })
        .on_event(move |event| count_refreshes(&event.change, &refreshes))
        .plaintext_at_rest()
        .build()
        .unwrap()
}

/// The owner of the account consents.
pub(crate) fn approve(served: &Served, url: &url::Url) -> CallbackParams {
    CallbackParams::parse(&served.sandbox().approve(url, ALICE).unwrap()).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn a_blocking_program_keeps_its_sessions_in_files() {
    let (served, folder) = (Served::start(1).unwrap(), tempfile::tempdir().unwrap());
    let refreshes = Arc::default();
    let app = blocking(&served, &folder, &refreshes);
    let login = app.authorize(ALICE).unwrap();
    let binding = Binding::cookie(login.cookie.unwrap().value.expose());
    let session = app.callback(approve(&served, &login.url), binding).unwrap().session;
    let key = session.key().clone();
    assert_eq!(app.list(key.did()).unwrap().len(), 1);

    // Another process, later.
    let app = blocking(&served, &folder, &refreshes);
    let session = app.restore(&key).unwrap();
    let who = session.query("com.atproto.server.getSession", &[]).unwrap();
    assert_eq!(who.response.status(), 200);
    let before = session.at_hand();
    session.refresh().unwrap();
    let tokens =
        [before, session.at_hand()].map(|session| session.access_token().expose().to_owned());
    assert_ne!(tokens[0], tokens[1]);
    assert!(session.revoke().unwrap().revocation.unwrap().is_ok());
    let gone = app.restore(&key).unwrap_err();
    assert_eq!(gone.error, SessionError::NotFound.into());
}

#[test]
fn an_async_program_keeps_its_sessions_in_a_store() {
    let served = Served::start(1).unwrap();
    let (store, refreshes) = (Arc::new(MemoryStore::new()), Arc::default());
    runtime().block_on(async {
        let app = asynchronous(&served, Arc::clone(&store), &refreshes);
        let login = app.authorize(ALICE).await.unwrap();
        let binding = Binding::cookie(login.cookie.unwrap().value.expose());
        let params = approve(&served, &login.url);
        let session = app.callback(params, binding).await.unwrap().session;
        let key = session.key().clone();
        let app = asynchronous(&served, store, &refreshes);
        let session = app.restore(&key).await.unwrap();
        let who = session.query("com.atproto.server.getSession", &[]).await.unwrap();
        assert_eq!(who.response.status(), 200);
        assert!(session.revoke().await.unwrap().revocation.unwrap().is_ok());
        let gone = app.restore(&key).await.unwrap_err();
        assert_eq!(gone.error, SessionError::NotFound.into());
    });
}

#[test]
fn a_thousand_tasks_on_one_session_refresh_once() {
    let served = Served::start(1).unwrap();
    let (store, refreshes) = (Arc::new(MemoryStore::new()), Arc::default());
    runtime().block_on(async {
        let app = asynchronous(&served, store, &refreshes);
        let login = app.authorize(ALICE).await.unwrap();
        let binding = Binding::cookie(login.cookie.unwrap().value.expose());
        let params = approve(&served, &login.url);
        set_token_lifetime(&served, Duration::from_secs(1));
        let session = app.callback(params, binding).await.unwrap().session;
        set_token_lifetime(&served, Duration::from_secs(60 * 60));
        let tasks: Vec<_> = (0..1000)
            .map(|_| {
                let (app, key) = (app.clone(), session.key().clone());
                tokio::spawn(async move { app.restore(&key).await.map(drop) })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(refreshes.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn threads_of_a_blocking_program_refresh_once() {
    let (served, folder) = (Served::start(1).unwrap(), tempfile::tempdir().unwrap());
    let refreshes = Arc::default();
    let app = blocking(&served, &folder, &refreshes);
    let login = app.authorize(ALICE).unwrap();
    let binding = Binding::cookie(login.cookie.unwrap().value.expose());
    let params = approve(&served, &login.url);
    set_token_lifetime(&served, Duration::from_secs(1));
    let session = app.callback(params, binding).unwrap().session;
    set_token_lifetime(&served, Duration::from_secs(60 * 60));
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                if let Err(error) = app.restore(session.key()) {
                    failures.lock().unwrap().push(error);
                }
            });
        }
    });
    assert!(failures.into_inner().unwrap().is_empty());
    assert_eq!(refreshes.load(Ordering::SeqCst), 1);
}

#[test]
fn a_login_whose_future_is_dropped_is_stored_all_the_same() {
    // Rule G-14
    let served = Served::start(1).unwrap();
    let (store, refreshes) = (Arc::new(MemoryStore::new()), Arc::default());
    runtime().block_on(async {
        let app = asynchronous(&served, store, &refreshes);
        let login = app.authorize(ALICE).await.unwrap();
        let binding = Binding::cookie(login.cookie.unwrap().value.expose());
        let params = approve(&served, &login.url);
        let callback = app.callback(params, binding);
        // The browser goes away after a moment.
        let cancelled = tokio::time::timeout(Duration::from_millis(1), callback).await;
        assert!(cancelled.is_err());
        app.shutdown().await;
        let did = served.sandbox().did(ALICE).unwrap().parse().unwrap();
        assert_eq!(app.list(&did).await.unwrap().len(), 1);
    });
}

#[test]
fn a_session_that_the_server_has_ended_is_told_with_its_cause() {
    let (served, folder) = (Served::start(1).unwrap(), tempfile::tempdir().unwrap());
    let app = blocking(&served, &folder, &Arc::default());
    let login = app.authorize(ALICE).unwrap();
    let binding = Binding::cookie(login.cookie.unwrap().value.expose());
    let session = app.callback(approve(&served, &login.url), binding).unwrap().session;
    served.sandbox().end_sessions(ALICE);
    let ended = session.refresh().unwrap_err();
    assert_eq!(ended.error, Error::Session(SessionError::Ended(DeletedCause::Revoked)));
}

#[test]
fn a_store_has_to_be_named_and_plain_text_to_be_accepted() {
    // Rule K-08
    let (served, folder) = (Served::start(1).unwrap(), tempfile::tempdir().unwrap());
    let builder = || atproto_oauth_ureq::OAuthClient::builder(client(&served));
    let file = || FileStore::open(folder.path().join("sessions")).unwrap();
    assert_eq!(builder().build().unwrap_err(), ConfigError::NoStore);
    assert_eq!(builder().store(file()).build().unwrap_err(), ConfigError::PlaintextStore);
    assert!(builder().store(file()).plaintext_at_rest().build().is_ok());
    let builder = || atproto_oauth_reqwest::OAuthClient::builder(client(&served));
    assert_eq!(builder().build().unwrap_err(), ConfigError::NoStore);
    let plain = builder().blocking_store(file()).build();
    assert_eq!(plain.unwrap_err(), ConfigError::PlaintextStore);
    assert!(builder().store(MemoryStore::new()).build().is_ok());
}

const UPLOAD: &str = "com.atproto.repo.uploadBlob";

/// Lets the server refuse the access token of the next upload, after it got the body.
fn refuse_next_upload(served: &Served) {
    let refused = http::Response::builder()
        .status(401)
        .header("www-authenticate", r#"DPoP error="invalid_token""#)
        .body(bytes::Bytes::new());
    served.sandbox().fault(Fault::answer(refused.unwrap()).path(&format!("/xrpc/{UPLOAD}")));
}

#[test]
fn a_blocking_upload_is_repeated_with_a_new_body() {
    // Rule G-03
    let (served, folder) = (Served::start(1).unwrap(), tempfile::tempdir().unwrap());
    let (refreshes, opened) = (Arc::default(), AtomicUsize::new(0));
    let app = blocking(&served, &folder, &refreshes);
    let login = app.authorize(ALICE).unwrap();
    let binding = Binding::cookie(login.cookie.unwrap().value.expose());
    let session = app.callback(approve(&served, &login.url), binding).unwrap().session;
    let request = || xrpc::upload(UPLOAD, &[], "text/plain").unwrap();
    let time = Duration::from_secs(30);
    let open = || {
        opened.fetch_add(1, Ordering::SeqCst);
        Ok(atproto_oauth_ureq::AttachedBody::new(&b"abc"[..], Some(3)))
    };

    refuse_next_upload(&served);
    let reply = session.upload_from(request(), open, time).unwrap();
    assert_eq!(reply.response.status(), 200);
    assert_eq!([opened.load(Ordering::SeqCst), refreshes.load(Ordering::SeqCst)], [2, 1]);

    let missing = || Err(std::io::ErrorKind::NotFound.into());
    let missing = session.upload_from(request(), missing, time).unwrap_err();
    assert!(missing.to_string().contains("the body can't be opened"), "{missing}");

    served.sandbox().end_sessions(ALICE);
    refuse_next_upload(&served);
    let ended = session.upload_from(request(), open, time).unwrap_err();
    assert_eq!(ended.error, Error::Session(SessionError::Ended(DeletedCause::Revoked)));
    assert_eq!(opened.load(Ordering::SeqCst), 3);
}

#[test]
fn an_async_upload_is_repeated_with_a_new_body() {
    // Rule G-03
    let served = Served::start(1).unwrap();
    let (store, refreshes) = (Arc::new(MemoryStore::new()), Arc::default());
    let opened = AtomicUsize::new(0);
    runtime().block_on(async {
        let app = asynchronous(&served, store, &refreshes);
        let login = app.authorize(ALICE).await.unwrap();
        let binding = Binding::cookie(login.cookie.unwrap().value.expose());
        let params = approve(&served, &login.url);
        let session = app.callback(params, binding).await.unwrap().session;
        refuse_next_upload(&served);
        let open = async || {
            opened.fetch_add(1, Ordering::SeqCst);
            Ok(atproto_oauth_reqwest::AttachedBody::new(&b"abc"[..], Some(3)))
        };
        let request = xrpc::upload(UPLOAD, &[], "text/plain").unwrap();
        let reply = session.upload_from(request, open, Duration::from_secs(30)).await.unwrap();
        assert_eq!(reply.response.status(), 200);
    });
    assert_eq!([opened.load(Ordering::SeqCst), refreshes.load(Ordering::SeqCst)], [2, 1]);
}

/// A store that says of each session that it can't be saved, although it is.
struct LoginsOnly(MemoryStore);

impl Store for LoginsOnly {
    fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        Store::load(&self.0, key)
    }
    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        match key.starts_with("session/") {
            // The record is there all the same.
            true => Store::save(&self.0, key, value, expect, expires_at).and_then(|_| {
                Err(StoreError::new(StoreErrorKind::TooLarge, "no room for sessions"))
            }),
            false => Store::save(&self.0, key, value, expect, expires_at),
        }
    }
    fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        Store::delete(&self.0, key, expect)
    }
    fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        Store::list(&self.0, prefix, after)
    }
    fn protects_at_rest(&self) -> bool {
        true
    }
}

#[test]
fn the_tokens_of_a_login_that_cannot_be_stored_are_revoked() {
    // Rule D-91
    let served = Served::start(1).unwrap();
    let (nameserver, hosts) = (served.nameserver(), served.hosts());
    let app = atproto_oauth_ureq::OAuthClient::builder(client(&served))
        .store(LoginsOnly(MemoryStore::new()))
        .driver(|driver| {
            let driver = driver.nameserver(nameserver);
            hosts.into_iter().fold(driver, |driver, (host, at)| driver.host_override(&host, at))
        })
        .build()
        .unwrap();
    for server_works in [true, false] {
        let login = app.authorize(ALICE).unwrap();
        let binding = Binding::cookie(login.cookie.unwrap().value.expose());
        let params = approve(&served, &login.url);
        if !server_works {
            let down = Fault::status(http::StatusCode::BAD_GATEWAY).path("/oauth/revoke");
            served.sandbox().fault(down.always());
        }
        let failed = app.callback(params, binding).unwrap_err();
        assert!(matches!(failed.error, Error::Session(SessionError::NotSaved(_))), "{failed}");
        assert_eq!(matches!(failed.revocation, Some(Ok(Revocation::Revoked))), server_works);
        let told = failed.to_string();
        assert!(told.contains("no room for sessions"), "{told}");
        assert_eq!(told.contains("revoking them failed"), !server_works, "{told}");
        let did = served.sandbox().did(ALICE).unwrap().parse().unwrap();
        assert!(app.list(&did).unwrap().is_empty(), "no record stays of a login that failed");
    }
}
