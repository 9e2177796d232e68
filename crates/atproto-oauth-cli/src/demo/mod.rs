//! `demo`: shows a complete login in a temporary network, from the handle to the revoked tokens.

mod report;

use std::time::Instant;

use atproto_identity::Resolver;
use atproto_oauth_core::{
    Authorization, CallbackParams, Client, Error, Revocation, Scopes, Session, Subject, xrpc,
};
use atproto_oauth_sandbox::Served;
use atproto_oauth_ureq::{Driver, RingKeys, StatelessClient};
use atproto_sansio::{Body, System};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::demo::report::Report;
use crate::failure::{CONFIGURATION, Failure, REFUSED};

const HANDLE: &str = "alice.test";

pub(crate) fn run() -> Result<(), Failure> {
    let started = Instant::now();
    let network = Served::start(1)
        .map_err(|error| Failure::new(CONFIGURATION, format!("can't listen: {error}"), LISTEN))?;
    let client = client(&network)?;
    let mut report = Report::new(&network);

    report.title();
    let login = log_in(&client, &mut report)?;
    let back = consent(&network, &login, &mut report)?;
    let session = exchange(&client, login, &back, &mut report)?;
    write(&client, &session, &mut report)?;
    let session = refresh(&client, session, &mut report)?;
    revoke(&client, &session, &mut report)?;
    report.end(started.elapsed());
    Ok(())
}

fn client(network: &Served) -> Result<StatelessClient, Failure> {
    let scopes = Scopes::parse("atproto transition:generic");
    let plc = network.names().plc.parse();
    let (Ok(scopes), Ok(plc)) = (scopes, plc) else {
        unreachable!("the scopes are constant, and the sandbox names a valid URL")
    };
    let client = Client::loopback(scopes)
        .redirect_path("/callback")
        .resolver(Resolver::new().with_directories([plc]))
        .development()
        .build()?;
    let mut driver =
        Driver::builder(System::new(RingKeys)).development().nameserver(network.nameserver());
    for (host, address) in network.hosts() {
        driver = driver.host_override(&host, address);
    }
    Ok(StatelessClient::with_driver(client, driver.build()))
}

fn log_in(client: &StatelessClient, report: &mut Report<'_>) -> Result<Authorization, Failure> {
    let login = client.authorize_with(Subject::parse(HANDLE)?, |login| {
        login.redirect_uri("http://127.0.0.1:7777/callback".parse().expect("the constant is a URL"))
    })?;
    report.step("Resolve the handle alice.test");
    report.requests_to(|path| path.starts_with("/did:"));
    report.explain(
        "A handle is a DNS name. Its TXT record names the account's DID. The DID document names \
         the account's handle and its server (PDS). If the DID document names another handle, the \
         login ends here, because everyone can publish the DID of another account in their own \
         DNS.",
    );
    report.step("Find the authorization server");
    report.requests_to(|path| path.starts_with("/.well-known/"));
    report.explain(
        "The PDS names its authorization server. Here the PDS is its own authorization server; \
         other PDSes name an entryway. The metadata of the authorization server names its \
         endpoints. The client checks every rule of the profile before it sends a request to \
         these endpoints.",
    );
    report.step("Push the authorization request");
    report.requests_to(|path| path == "/oauth/par");
    report.explain(
        "The client sends the authorization request to the server, so that the browser carries \
         only a reference to it (request_uri). The DPoP proof binds the tokens to a key that was \
         generated for this login. The server requires its nonce in each proof: the first \
         response brings the nonce, and the second request has a new proof with this nonce.",
    );
    Ok(login)
}

fn consent(
    network: &Served,
    login: &Authorization,
    report: &mut Report<'_>,
) -> Result<String, Failure> {
    let back = network.sandbox().approve(&login.url, HANDLE);
    let back = back.map_err(|stuck| Failure::new(REFUSED, stuck.to_string(), BUG))?;
    report.step("Alice signs in and consents");
    report.url("browser opens", login.url.as_str());
    report.url("redirected to", &back);
    report.explain(
        "Alice signs in on a page of her own server, so the client never sees her password. The \
         redirect must carry the state of this login and name the issuer of this login. Otherwise \
         the client does not send the code to any server.",
    );
    Ok(back)
}

fn exchange(
    client: &StatelessClient,
    login: Authorization,
    back: &str,
    report: &mut Report<'_>,
) -> Result<Session, Failure> {
    let params = CallbackParams::parse(back).map_err(Error::from)?;
    let session = client.callback(login.pending, params)?.session;
    report.step("Exchange the code for tokens, and verify the server");
    report.requests();
    report.explain(
        "The token response names the account's DID, but any server could name this DID. So the \
         client resolves the DID again, in parallel with the exchange, and checks that the \
         account's PDS names this authorization server. If the check fails, the client revokes \
         the tokens.",
    );
    Ok(session)
}

fn write(
    client: &StatelessClient,
    session: &Session,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let _: Value = xrpc::json(&client.request(session, get_session()?)?.response)?;
    let record = json!({
        "repo": session.did(),
        "collection": "com.example.note",
        "record": {"$type": "com.example.note", "text": "Written through OAuth."},
    });
    let create = xrpc::procedure("com.atproto.repo.createRecord", &[], &record)?;
    let created: Value = xrpc::json(&client.request(session, create)?.response)?;
    report.step("Send requests with the session");
    report.requests();
    report.shows("record", text(&created, "uri"));
    report.explain(
        "Each request carries the access token and a new proof for this method, this URL and this \
         token. The proof has the nonce of the previous response. A stolen token is useless \
         without the private key of the session.",
    );
    Ok(())
}

fn refresh(
    client: &StatelessClient,
    session: Session,
    report: &mut Report<'_>,
) -> Result<Session, Failure> {
    let renewed = client.refresh(session)?.session;
    report.step("Refresh the session");
    report.requests();
    report.explain(
        "A refresh token is single-use: if it is used twice, the server ends the session. So the \
         client verifies the server first and sends the refresh token last. The client sends it \
         again only if the server certainly did not use it.",
    );
    Ok(renewed)
}

fn revoke(
    client: &StatelessClient,
    session: &Session,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    if client.revoke(session.clone())? != Revocation::Revoked {
        return Err(Failure::new(REFUSED, "the server has no revocation endpoint", BUG));
    }
    let refused = client.request(session, get_session()?)?.response;
    report.step("Log out: revoke the tokens");
    report.requests();
    if refused.status() != StatusCode::UNAUTHORIZED || !xrpc::is_token_refused(&refused) {
        return Err(Failure::new(REFUSED, "the server still accepts the revoked token", BUG));
    }
    report.explain(
        "The last response shows the effect: the server rejects the revoked access token.",
    );
    Ok(())
}

fn get_session() -> Result<Request<Body>, Failure> {
    Ok(xrpc::query("com.atproto.server.getSession", &[])?)
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer.get(name).and_then(Value::as_str).unwrap_or_default()
}

const LISTEN: &str = "allow this program to listen on loopback ports";
const BUG: &str = "tell it to the developers of this command: the demonstration has a bug";
