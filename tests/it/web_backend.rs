//! The example of a web backend, in a network on sockets.

#[path = "../../crates/atproto-oauth-reqwest/examples/web_backend.rs"]
mod example;

use std::time::Duration;

use atproto_oauth_reqwest::{
    ClientKey, Driver, P256Keys, Resolver, StatelessClient, System, SystemEntropy, tokio,
};
use atproto_oauth_sandbox::Served;

const HANDLE: &str = "alice.test";

fn backend(network: &Served) -> example::Backend {
    let key = ClientKey::generate(&P256Keys, &mut SystemEntropy).unwrap();
    let resolver = Resolver::new().with_directories([network.names().plc.parse().unwrap()]);
    let client = example::client(key).unwrap().resolver(resolver).development().build().unwrap();
    network.sandbox().publish_client(&client);
    let driver = Driver::builder(System::new(P256Keys)).development();
    let driver = driver.nameserver(network.nameserver()).build();
    example::Backend::new(StatelessClient::with_driver(client, driver))
}

const GET_SESSION: &str = "com.atproto.server.getSession";

/// Sends a request for the user of a session cookie.
async fn is_served(backend: &example::Backend, cookie: &str) -> bool {
    let reply = backend.query(cookie, GET_SESSION, System::now()).await;
    reply.is_ok_and(|reply| reply.response.status() == 200)
}

#[test]
fn the_example_logs_in_refreshes_and_logs_out() {
    let network = Served::start(1).unwrap();
    let backend = backend(&network);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (url, login_cookie) = backend.login(HANDLE).await.unwrap();
        let callback = network.sandbox().approve(&url, HANDLE).unwrap();
        // Another browser can't use the callback, and does not use it up.
        assert!(backend.callback(&callback, "another").await.is_err());
        let cookie = backend.callback(&callback, &login_cookie).await.unwrap();
        assert!(backend.callback(&callback, &login_cookie).await.is_err());
        assert!(is_served(&backend, &cookie).await);

        // The access token nears its end. Of two requests at once, one refreshes the session.
        let refreshes = || {
            let sandbox = network.sandbox();
            let forms = sandbox.requests().filter_map(|request| request.form("grant_type"));
            forms.filter(|grant| *grant == "refresh_token").count()
        };
        assert_eq!(refreshes(), 0);
        let pds = network.sandbox().find_server(&network.names().pds).unwrap();
        network.sandbox().set_access_token_lifetime(pds, Duration::from_secs(6 * 3600));
        let later = System::now() + Duration::from_secs(2 * 3600);
        let (one, two) = tokio::join!(
            backend.query(&cookie, GET_SESSION, later),
            backend.query(&cookie, GET_SESSION, later),
        );
        for reply in [one, two] {
            assert_eq!(reply.unwrap().response.status(), 200);
        }
        assert_eq!(refreshes(), 1);

        backend.logout(&cookie).await.unwrap();
        assert!(!is_served(&backend, &cookie).await);
    });
}

#[test]
fn the_example_prints_its_documents() {
    example::main().unwrap();
}
