//! An app with a login, and a test of it in three cases: the user consents, the user denies, and a
//! response of the server is lost.
//!
//! `cargo run -p atproto-oauth-sandbox --features serve --example test_your_app`

use std::collections::BTreeMap;
use std::error::Error;

use atproto_dpop::P256Keys;
use atproto_identity::Resolver;
use atproto_oauth_core::{CallbackParams, Client, Pending, Scopes, Session, Subject};
use atproto_oauth_sandbox::{Fault, Served};
use atproto_oauth_ureq::{Driver, StatelessClient};
use atproto_sansio::System;
use url::Url;

/// The app. The OAuth client is a parameter of `new`, so that a test can pass a client of the
/// sandbox.
struct App {
    oauth: StatelessClient,
    /// Begun logins by `state`.
    waiting: BTreeMap<String, Pending>,
    /// Sessions by DID.
    sessions: BTreeMap<String, Session>,
}

impl App {
    fn new(oauth: StatelessClient) -> Self {
        Self { oauth, waiting: BTreeMap::new(), sessions: BTreeMap::new() }
    }

    /// Begins a login, and returns the authorization URL to redirect the user's browser to.
    fn login_url(&mut self, name: &str) -> Result<Url, Box<dyn Error>> {
        let begun = self.oauth.authorize(Subject::parse(name)?)?;
        self.waiting.insert(begun.pending.state().to_owned(), begun.pending);
        Ok(begun.url)
    }

    /// Finishes the login with the URL that the browser returned to, and returns the text to show.
    fn callback(&mut self, url: &str) -> Result<String, Box<dyn Error>> {
        let params = CallbackParams::parse(url)?;
        let pending =
            self.waiting.remove(params.state()).ok_or("No login with this state has begun.")?;
        let session = self.oauth.callback(pending, params)?.session;
        let greeting = format!("Hello {}", session.handle().map_or("you", |name| name.as_str()));
        self.sessions.insert(session.did().to_string(), session);
        Ok(greeting)
    }
}

// The test. In your program, put `#[test]` above this function.
fn people_log_in() -> Result<(), Box<dyn Error>> {
    let network = Served::start(1)?;
    let resolver = Resolver::new().with_directories([network.names().plc.parse::<Url>()?]);
    let client = Client::loopback(Scopes::parse("atproto")?).resolver(resolver).development();
    let driver = Driver::builder(System::new(P256Keys)).development();
    let driver = driver.nameserver(network.nameserver()).build();
    let mut app = App::new(StatelessClient::with_driver(client.build()?, driver));

    let url = app.login_url("alice.test")?;
    let back = network.approve(&url, "alice.test")?;
    assert_eq!(app.callback(&back)?, "Hello alice.test");

    let url = app.login_url("bob.test")?;
    let back = network.deny(&url)?;
    assert!(app.callback(&back).is_err() && app.sessions.len() == 1);

    network.sandbox().fault(Fault::lose_answer().path("/oauth/par"));
    assert!(app.login_url("rita.test").is_err() && app.waiting.is_empty());
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    people_log_in()
}
