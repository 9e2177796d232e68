//! A web application whose users log in with AT Protocol OAuth. Their sessions survive a restart, and
//! several instances may run behind one store. `README.md` has the commands to run it.

use std::{env, error, time::Duration};

use atproto_oauth_reqwest::store::{self, Sealed, SealingKey, SealingKeys, SqliteStore};
use atproto_oauth_reqwest::{
    Binding, CallbackParams, Client, ClientKey, Error, Handle, OAuthClient, Resolver, RingKeys,
    Scopes, SecretString, SessionKey, Subject, SystemEntropy, url::Url, xrpc,
};
use axum::extract::{Form, FromRef, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect};
use axum::{Router, routing};
use axum_extra::extract::cookie::{Cookie, Key, SameSite, SignedCookieJar};

#[derive(Clone, FromRef)]
struct App {
    oauth: OAuthClient,
    callback: Url,
    /// Signs the cookie that names the user's session, so that nobody can name another session.
    cookie_key: Key,
}

type Result<T, E = Box<dyn error::Error>> = std::result::Result<T, E>;
type Page<T> = Result<T, (StatusCode, String)>;

#[tokio::main]
async fn main() -> Result<()> {
    let listen = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let here = format!("http://{}", listener.local_addr()?);
    let site = env::var("PUBLIC_URL").unwrap_or_else(|_| here.clone());
    let (oauth, callback) = (oauth(client(&site)?).await?, format!("{site}/callback").parse()?);
    let cookie_key = secret("COOKIE_KEY", SealingKey::generate()?.to_text())?;
    let cookie_key = Key::try_from(cookie_key.expose().as_bytes())?;
    let json = |text: String| routing::get(([(header::CONTENT_TYPE, "application/json")], text));
    let router = Router::new()
        .route("/", routing::get(home))
        .route("/login", routing::post(begin_login))
        .route("/callback", routing::get(finish_login))
        .route("/logout", routing::post(log_out))
        .route("/client-metadata.json", json(oauth.client().metadata().unwrap_or_default()))
        .route("/jwks.json", json(oauth.client().jwks()))
        .with_state(App { oauth: oauth.clone(), callback, cookie_key });
    let sweeping = oauth.clone();
    tokio::spawn(async move {
        // Removes logins that nobody has finished. If the store fails, the next hour comes.
        loop {
            let _ = sweeping.sweep().await;
            tokio::time::sleep(Duration::from_secs(60 * 60)).await;
        }
    });
    println!("{here} serves {site}");
    let stopped = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, router).with_graceful_shutdown(stopped).await?;
    oauth.shutdown().await;
    Ok(())
}

/// A confidential client at a public URL; else the client for development, which needs no documents.
fn client(site: &str) -> Result<Client> {
    let scopes = Scopes::parse("atproto")?;
    let mut client = Client::loopback(scopes.clone()).redirect_path("/callback");
    if site.starts_with("https:") {
        let new = ClientKey::generate(&RingKeys, &mut SystemEntropy)?.to_jwk();
        let key = secret("CLIENT_KEY", new.expect("a key of RingKeys can be exported"))?;
        client = Client::web(format!("{site}/client-metadata.json"), scopes)
            .redirect_uri(format!("{site}/callback"))
            .jwks_uri(format!("{site}/jwks.json").parse()?)
            .key(ClientKey::parse(key.expose(), &RingKeys)?);
    }
    if let (Ok(plc), Ok(dns)) = (env::var("PLC_DIRECTORY"), env::var("DNS_OVER_HTTPS")) {
        let resolver = Resolver::new().with_directories([plc.parse()?]);
        client = client.resolver(resolver.with_dns_over_https(dns.parse()?)).development();
    }
    Ok(client.build()?)
}

/// Sessions are sealed before they reach the store, so that a copy of the database is of no use.
async fn oauth(client: Client) -> Result<OAuthClient> {
    let key = secret("SEALING_KEY", SealingKey::generate()?.to_text())?;
    let keys = SealingKeys::new(SealingKey::from_text(key.expose())?);
    let database = env::var("DATABASE_URL").unwrap_or_else(|_| "sessions.db".to_owned());
    let builder = OAuthClient::builder(client);
    #[cfg(feature = "postgres")]
    if database.starts_with("postgres:") {
        let store = store::PostgresStore::connect(&database).await?;
        store.create_schema().await?;
        return Ok(builder.store(Sealed::new(store, keys)).build()?);
    }
    Ok(builder.blocking_store(Sealed::new(SqliteStore::open(database)?, keys)).build()?)
}

/// A secret of the environment, or else of a file of this name, which the first start makes.
fn secret(name: &str, new: SecretString) -> Result<SecretString> {
    Ok(env::var(name).map(SecretString::new).or_else(|_| store::secret_file(name, &new))?)
}

/// Asks the account's own server for the handle, which has no character that HTML gives a meaning.
async fn home(State(app): State<App>, cookies: SignedCookieJar) -> Page<Html<String>> {
    let Some(key) = session(&cookies) else { return Ok(Html(LOGIN.to_owned())) };
    let who = async {
        let session = app.oauth.restore(&key).await?;
        let reply = session.query("com.atproto.server.getSession", &[]).await?;
        Ok::<_, Error>(xrpc::json::<Account<Handle>>(&reply.response)?.handle)
    };
    match who.await {
        Ok(who) => Ok(Html(format!("<p>Logged in as {who}, {}.</p>{LOGOUT}", key.did()))),
        // For example, the user has removed the access of this application at the server.
        Err(error) if error.needs_login() => Ok(Html(LOGIN.to_owned())),
        Err(error) => Err(page(error)),
    }
}

#[derive(serde::Deserialize)]
struct Account<H = String> {
    handle: H,
}

/// Sends the browser to the authorization server, with a cookie of this login.
async fn begin_login(State(app): State<App>, form: Form<Account>) -> Page<impl IntoResponse> {
    let subject = Subject::parse(&form.handle).map_err(page)?;
    let begin = app.oauth.authorize_with(subject, |login| login.redirect_uri(app.callback));
    let login = begin.await.map_err(page)?;
    let cookie = login.cookie.map(|cookie| (header::SET_COOKIE, cookie.set_cookie()));
    Ok((AppendHeaders(cookie), Redirect::to(login.url.as_str())))
}

/// Finishes a login in the browser that began it, and in no other.
async fn finish_login(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    cookies: SignedCookieJar,
) -> Page<impl IntoResponse> {
    let params = CallbackParams::parse(&uri.to_string()).map_err(page)?;
    let finished = app.oauth.callback(params, Binding::from_headers(&headers)).await;
    let session = finished.map_err(|failed| page(failed.error))?.session;
    // `SameSite=Lax` keeps the pages of other sites from posting in the user's name.
    let cookie = Cookie::build((SESSION, session.key().to_string()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.callback.scheme() == "https")
        .permanent();
    Ok((cookies.add(cookie), Redirect::to("/")))
}

/// Ends the session at the server, in the store and in the browser.
async fn log_out(State(app): State<App>, cookies: SignedCookieJar) -> Page<impl IntoResponse> {
    if let Some(key) = session(&cookies) {
        app.oauth.revoke(&key).await.map_err(page)?;
    }
    Ok((cookies.remove(Cookie::build(SESSION).path("/")), Redirect::to("/")))
}

/// The session that the browser's cookie names, if this application has signed the cookie.
fn session(cookies: &SignedCookieJar) -> Option<SessionKey> {
    cookies.get(SESSION)?.value().parse().ok()
}

/// An error as plain text, because a server may have written parts of it.
fn page(error: impl Into<Error>) -> (StatusCode, String) {
    let error = error.into();
    (error.web_status(), error.to_string())
}

const SESSION: &str = "session";
const LOGIN: &str =
    "<form method=post action=/login><input name=handle> <button>Log in</button></form>";
const LOGOUT: &str = "<form method=post action=/logout><button>Log out</button></form>";
