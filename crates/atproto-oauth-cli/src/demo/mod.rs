//! `demo`: a whole login, from a handle to a dead token, in a network of its own.

mod telling;

use std::time::Instant;

use atproto_dpop::P256Keys;
use atproto_identity::Resolver;
use atproto_oauth_core::{
    Authorization, CallbackParams, Client, Error, Revocation, Scopes, Session, Subject, xrpc,
};
use atproto_oauth_sandbox::Served;
use atproto_oauth_ureq::{Driver, OAuthClient};
use atproto_sansio::{Body, System};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::demo::telling::Telling;
use crate::failure::{CONFIGURATION, Failure, REFUSED};

const HANDLE: &str = "alice.test";

pub(crate) fn run() -> Result<(), Failure> {
    let started = Instant::now();
    let network = Served::start(1)
        .map_err(|error| Failure::new(CONFIGURATION, format!("can't listen: {error}")))?;
    let client = client(&network)?;
    let mut telling = Telling::new(&network);

    telling.title();
    let login = log_in(&client, &mut telling)?;
    let back = consent(&network, &login, &mut telling)?;
    let session = exchange(&client, login, &back, &mut telling)?;
    write(&client, &session, &mut telling)?;
    let session = refresh(&client, session, &mut telling)?;
    revoke(&client, &session, &mut telling)?;
    telling.end(started.elapsed());
    Ok(())
}

fn client(network: &Served) -> Result<OAuthClient, Failure> {
    let scopes = Scopes::parse("atproto transition:generic");
    let plc = network.names().plc.parse();
    let (Ok(scopes), Ok(plc)) = (scopes, plc) else { unreachable!("both are constant") };
    let client = Client::loopback(scopes)
        .redirect_path("/callback")
        .resolver(Resolver::new().with_directories([plc]))
        .development()
        .build()?;
    let mut driver =
        Driver::builder(System::new(P256Keys)).development().nameserver(network.nameserver());
    for (host, address) in network.hosts() {
        driver = driver.host_override(&host, address);
    }
    Ok(OAuthClient::with_driver(client, driver.build()))
}

fn log_in(client: &OAuthClient, telling: &mut Telling<'_>) -> Result<Authorization, Failure> {
    let login = client.authorize_with(Subject::parse(HANDLE)?, |login| {
        login.redirect_uri("http://127.0.0.1:7777/callback".parse().expect("it is constant"))
    })?;
    telling.act("Who is alice.test?");
    telling.requests_to(|path| path.starts_with("/did:"));
    telling.why(
        "A handle is a name in DNS. Its record names the account's DID, and the DID's document names \
         the handle back, and the server where the account lives. Unless both agree, the login ends \
         here: anybody can put somebody else's DID into their own DNS.",
    );
    telling.act("Who may sign her in?");
    telling.requests_to(|path| path.starts_with("/.well-known/"));
    telling.why(
        "Her server names its authorization server, which is the same here and an entryway elsewhere, \
         and that one's own document names its endpoints. Every rule of the profile is checked before \
         anything is sent to them.",
    );
    telling.act("What is asked for?");
    telling.requests_to(|path| path == "/oauth/par");
    telling.why(
        "The request is pushed, so the browser carries only a reference to it. The proof beside it \
         binds the tokens to a key that was made for this login. Servers want proofs to be fresh: the \
         first try learns the server's nonce, the second, with a new proof, uses it.",
    );
    Ok(login)
}

fn consent(
    network: &Served,
    login: &Authorization,
    telling: &mut Telling<'_>,
) -> Result<String, Failure> {
    let back = network.sandbox().approve(&login.url, HANDLE);
    let back = back.map_err(|stuck| Failure::new(REFUSED, stuck.to_string()))?;
    telling.act("Alice signs in and consents");
    telling.url("opens", login.url.as_str());
    telling.url("comes back", &back);
    telling.why(
        "This happens in her browser, at her server; the application never sees her password. What comes back must carry this login's state and name the issuer that the login went \
         to; only then does its code go anywhere.",
    );
    Ok(back)
}

fn exchange(
    client: &OAuthClient,
    login: Authorization,
    back: &str,
    telling: &mut Telling<'_>,
) -> Result<Session, Failure> {
    let params = CallbackParams::parse(back).map_err(Error::from)?;
    let session = client.callback(login.pending, params)?.session;
    telling.act("The code becomes a session, once the server is verified");
    telling.requests();
    telling.why(
        "The tokens say whose they are. Whether this server may say so, the account's own documents \
         decide, asked anew and beside the exchange; tokens that fail the check are revoked.",
    );
    Ok(session)
}

fn write(
    client: &OAuthClient,
    session: &Session,
    telling: &mut Telling<'_>,
) -> Result<(), Failure> {
    let _: Value = xrpc::json(&client.request(session, get_session()?)?.response)?;
    let record = json!({
        "repo": session.did(),
        "collection": "com.example.note",
        "record": {"$type": "com.example.note", "text": "Written through OAuth."},
    });
    let create = xrpc::procedure("com.atproto.repo.createRecord", &[], &record)?;
    let created: Value = xrpc::json(&client.request(session, create)?.response)?;
    telling.act("Requests in her name");
    telling.requests();
    telling.shows("her record", text(&created, "uri"));
    telling.why(
        "Each request carries the token and a proof of its own, for this method, this URL and this \
         token, with the nonce that the answer before it brought. Who steals the token has nothing.",
    );
    Ok(())
}

fn refresh(
    client: &OAuthClient,
    session: Session,
    telling: &mut Telling<'_>,
) -> Result<Session, Failure> {
    let renewed = client.refresh(session)?.session;
    telling.act("The session is renewed");
    telling.requests();
    telling.why(
        "A refresh token is good for one use: sent twice, it ends the session. So it is sent last, \
         after the server is verified again, and never again unless it surely did not arrive.",
    );
    Ok(renewed)
}

fn revoke(
    client: &OAuthClient,
    session: &Session,
    telling: &mut Telling<'_>,
) -> Result<(), Failure> {
    if client.revoke(session.clone())? != Revocation::Revoked {
        return Err(Failure::new(REFUSED, "the server does not revoke"));
    }
    let refused = client.request(session, get_session()?)?.response;
    telling.act("Alice logs out");
    telling.requests();
    if refused.status() != StatusCode::UNAUTHORIZED || !xrpc::is_token_refused(&refused) {
        return Err(Failure::new(REFUSED, "the token still works"));
    }
    telling.why("The tokens are revoked, and the last answer shows it: the token is dead.");
    Ok(())
}

fn get_session() -> Result<Request<Body>, Failure> {
    Ok(xrpc::query("com.atproto.server.getSession", &[])?)
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer.get(name).and_then(Value::as_str).unwrap_or_default()
}
