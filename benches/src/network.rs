//! The served sandbox, and programs that use it over each adapter.

use atproto_identity::Resolver;
use atproto_oauth_core::{CallbackParams, Client, Scopes};
use atproto_oauth_sandbox::Served;
use url::Url;

/// Handle of the account that logs in.
pub const ALICE: &str = "alice.test";

/// A client of the development network.
pub fn client(served: &Served) -> Client {
    let plc = served.names().plc.parse().unwrap();
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    let client = Client::loopback(scopes).redirect_path("/callback").development();
    client.resolver(Resolver::new().with_directories([plc])).build().unwrap()
}

/// A program over the blocking adapter, still without its store.
pub fn blocking(served: &Served) -> atproto_oauth_ureq::OAuthClientBuilder {
    let (nameserver, hosts) = (served.nameserver(), served.hosts());
    atproto_oauth_ureq::OAuthClient::builder(client(served)).driver(|driver| {
        let driver = driver.nameserver(nameserver);
        hosts.into_iter().fold(driver, |driver, (host, at)| driver.host_override(&host, at))
    })
}

/// A program over the async adapter, still without its store.
pub fn asynchronous(served: &Served) -> atproto_oauth_reqwest::OAuthClientBuilder {
    let (nameserver, hosts) = (served.nameserver(), served.hosts());
    atproto_oauth_reqwest::OAuthClient::builder(client(served)).driver(|driver| {
        let driver = driver.nameserver(nameserver);
        hosts.into_iter().fold(driver, |driver, (host, at)| driver.host_override(&host, at))
    })
}

/// The owner of the account consents in the browser.
pub fn approve(served: &Served, url: &Url, handle: &str) -> CallbackParams {
    CallbackParams::parse(&served.sandbox().approve(url, handle).unwrap()).unwrap()
}
