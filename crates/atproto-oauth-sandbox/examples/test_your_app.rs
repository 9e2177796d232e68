//! An app that people log in to, and a test of it: who comes back, who says no, and what the app makes
//! of a network that fails. `cargo run -p atproto-oauth-sandbox --features serve --example test_your_app`

use std::collections::BTreeMap;
use std::error::Error;

use atproto_dpop::P256Keys;
use atproto_identity::Resolver;
use atproto_oauth_core::{CallbackParams, Client, Pending, Scopes, Session, Subject};
use atproto_oauth_sandbox::{Fault, Served};
use atproto_oauth_ureq::{Driver, OAuthClient};
use atproto_sansio::System;
use url::Url;

/// The app. Its client is given to it, so that a test can give it another.
struct App {
    oauth: OAuthClient,
    waiting: BTreeMap<String, Pending>,
    sessions: BTreeMap<String, Session>,
}

impl App {
    fn new(oauth: OAuthClient) -> Self {
        Self { oauth, waiting: BTreeMap::new(), sessions: BTreeMap::new() }
    }

    /// Where to send the browser of somebody who wants to log in.
    fn login_url(&mut self, name: &str) -> Result<Url, Box<dyn Error>> {
        let begun = self.oauth.authorize(Subject::parse(name)?)?;
        self.waiting.insert(begun.pending.state().to_owned(), begun.pending);
        Ok(begun.url)
    }

    /// The browser is back: what to show.
    fn callback(&mut self, url: &str) -> Result<String, Box<dyn Error>> {
        let params = CallbackParams::parse(url)?;
        let pending = self.waiting.remove(params.state()).ok_or("Nobody waits for this.")?;
        let session = self.oauth.callback(pending, params)?.session;
        let greeting = format!("Hello {}", session.handle().map_or("you", |name| name.as_str()));
        self.sessions.insert(session.did().to_string(), session);
        Ok(greeting)
    }
}

// The test: in your program it has `#[test]` above it.
fn people_log_in() -> Result<(), Box<dyn Error>> {
    let network = Served::start(1)?;
    let resolver = Resolver::new().with_directories([network.names().plc.parse::<Url>()?]);
    let client = Client::loopback(Scopes::parse("atproto")?).resolver(resolver).development();
    let driver = Driver::builder(System::new(P256Keys)).development();
    let driver = driver.nameserver(network.nameserver()).build();
    let mut app = App::new(OAuthClient::with_driver(client.build()?, driver));

    let url = app.login_url("alice.test")?;
    let back = network.sandbox().approve(&url, "alice.test")?;
    assert_eq!(app.callback(&back)?, "Hello alice.test");

    let url = app.login_url("bob.test")?;
    let back = network.sandbox().deny(&url)?;
    assert!(app.callback(&back).is_err() && app.sessions.len() == 1);

    network.sandbox().fault(Fault::lose_answer().path("/oauth/par"));
    assert!(app.login_url("rita.test").is_err() && app.waiting.is_empty());
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    people_log_in()
}
