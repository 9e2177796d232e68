//! `blocking-tool HANDLE FILE` uploads a file to the server of an account, and prints the reference of
//! the blob. The first run logs in through the browser; later runs use the session that it has stored.
//! The README of this folder has the commands to run it.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, error};

use atproto_oauth_ureq::store::{FileStore, Sealed, SealingKey, SealingKeys, secret_file};
use atproto_oauth_ureq::{
    AttachedBody, Binding, CallbackParams, CallbackProblem, Client, Freshness, Identifier,
    ManagedSession, OAuthClient, OnRelogin, Resolver, ResourceReply, Scopes, SessionError,
    SessionsError, Subject, xrpc,
};
use serde_json::Value;
use tiny_http::{Response, Server};

type Result<T, E = Box<dyn error::Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let (Some(handle), Some(file)) = (env::args().nth(1), env::args_os().nth(2)) else {
        return Err("usage: blocking-tool HANDLE FILE".into());
    };
    let (app, file) = (oauth()?, PathBuf::from(file));
    // Sessions are stored by DID, because a handle may change its owner.
    let account = Identifier::from_user_input(&handle)?;
    let account = app.client().resolver().account(account, Freshness::Cached);
    let stored = app.list(&app.driver().run(account)?.did)?;
    let uploaded = match stored.first() {
        Some(stored) => app.restore(&stored.key).and_then(|session| upload(&session, &file)),
        None => Err(SessionError::NotFound.into()),
    };
    let reply = match uploaded {
        Err(error) if error.error.needs_login() => upload(&log_in(&app, &handle)?, &file)?,
        uploaded => uploaded?,
    };
    let answer: Value = xrpc::json(&reply.response)?;
    println!("{:#}", answer.get("blob").unwrap_or(&answer));
    Ok(())
}

/// A client whose sessions are in the user's data folder. They are sealed, so that a copy of
/// `sessions` without the key is of no use.
fn oauth() -> Result<OAuthClient> {
    let folder = env::var_os("DATA").map(PathBuf::from);
    let folder = folder.or_else(|| Some(dirs::data_local_dir()?.join("blocking-tool")));
    let folder = folder.ok_or("set DATA to a folder for the sessions")?;
    let store = FileStore::open(folder.join("sessions"))?;
    let key = secret_file(folder.join("sealing.key"), &SealingKey::generate()?.to_text())?;
    let keys = SealingKeys::new(SealingKey::from_text(key.expose())?);

    let scopes = Scopes::parse("atproto blob:*/*")?;
    let mut client = Client::loopback(scopes).redirect_path("/callback");
    if let (Ok(plc), Ok(dns)) = (env::var("PLC_DIRECTORY"), env::var("DNS_OVER_HTTPS")) {
        let resolver = Resolver::new().with_directories([plc.parse()?]);
        client = client.resolver(resolver.with_dns_over_https(dns.parse()?)).development();
    }
    // A command needs one session of each account: a new login replaces the old one.
    let app = OAuthClient::builder(client.build()?).on_relogin(OnRelogin::ReplaceAndRevoke);
    Ok(app.store(Sealed::new(store, keys)).build()?)
}

/// Logs in through the browser, which comes back to a port of this program.
fn log_in(app: &OAuthClient, handle: &str) -> Result<ManagedSession> {
    let server = Server::http("127.0.0.1:0").map_err(|error| error.to_string())?;
    let here = format!("http://{}/callback", server.server_addr()).parse()?;
    let login = app.authorize_unbound(Subject::parse(handle)?, |login| login.redirect_uri(here))?;
    eprintln!("Log in with your browser:\n{}", login.url);
    if io::stderr().is_terminal() {
        let _ = webbrowser::open(login.url.as_str()); // the user can open the printed URL
    }
    while let Some(request) = server.recv_timeout(TIME)? {
        let Ok(params) = CallbackParams::parse(request.url()) else {
            request
                .respond(Response::from_string("There is no page here.").with_status_code(404))?;
            continue;
        };
        match app.callback(params, Binding::unbound()) {
            Ok(login) => {
                request.respond(Response::from_string("Logged in. You can close this page."))?;
                return Ok(login.session);
            }
            Err(failed) => {
                let page = Response::from_string(failed.to_string()).with_status_code(400);
                request.respond(page)?;
                // The callback of another login, perhaps by another program: this login still waits.
                if failed.error != CallbackProblem::UnknownState.into() {
                    return Err(failed.into());
                }
            }
        }
    }
    Err("the browser did not come back in time".into())
}

/// Streams the file. The server finds its media type out.
fn upload(session: &ManagedSession, file: &Path) -> Result<ResourceReply, SessionsError> {
    let request = xrpc::upload("com.atproto.repo.uploadBlob", &[], "application/octet-stream")?;
    let open = || {
        let file = File::open(file)?;
        let length = file.metadata()?.len();
        Ok(AttachedBody::new(file, Some(length)))
    };
    session.upload_from(request, open, TIME)
}

/// Time for the user, and for the upload.
const TIME: Duration = Duration::from_secs(10 * 60);
