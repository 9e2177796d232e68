//! Requests by reqwest alone, set up as the adapter sets it up, and by the adapter. Each work runs in a runtime of
//! one thread, so that its allocations are those of this thread.

use std::net::Ipv4Addr;
use std::time::Duration;

use atproto_oauth_reqwest::{Driver, StatelessClient, System};
use atproto_sansio::Keys;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, retry};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::{Builder, Runtime};

use crate::headers::Constant;
use crate::server::Server;
use crate::session::{self, PATH};

/// A request without credentials.
pub(crate) fn plain(server: &Server) -> impl FnMut() {
    alone(server, |request| request)
}

/// A request with the headers of a session, which are the same each time.
pub(crate) fn with_headers(server: &Server) -> impl FnMut() {
    let Constant { authorization, proof } = Constant::new();
    alone(server, move |request| {
        request.header("authorization", authorization.clone()).header("dpop", proof.clone())
    })
}

/// A request with a session.
pub(crate) fn with_session(server: &Server, keys: impl Keys + 'static) -> impl FnMut() {
    let driver = Driver::builder(System::new(keys)).development();
    let driver = driver.resolve("localhost", [Ipv4Addr::LOCALHOST.into()]).build();
    let app = StatelessClient::with_driver(session::client(), driver);
    let session = session::at(&server.origin());
    let runtime = runtime();
    move || {
        let reply = runtime.block_on(app.request(&session, session::request())).unwrap();
        assert_eq!(reply.response.body(), "{}");
    }
}

fn alone(server: &Server, credentials: impl Fn(RequestBuilder) -> RequestBuilder) -> impl FnMut() {
    let (client, url) = (client(), format!("{}{PATH}", server.origin()));
    let runtime = runtime();
    move || {
        let request = client.get(&url).header("accept", "application/json");
        let request = credentials(request.header("accept-language", "en"));
        let request = request.header("user-agent", "a-program/1.0").timeout(TIMEOUT);
        let body = runtime.block_on(async { request.send().await.unwrap().bytes().await });
        assert_eq!(body.unwrap(), "{}");
    }
}

/// The settings of the adapter, without its resolver: a kept connection needs none.
fn client() -> Client {
    let provider = rustls::crypto::ring::default_provider();
    let tls = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .retry(retry::never())
        .http1_only()
        .http1_max_headers(128)
        .tls_backend_preconfigured(tls)
        .connect_timeout(Duration::from_secs(5))
        .pool_idle_timeout(Duration::from_secs(4))
        .resolve("localhost", (Ipv4Addr::LOCALHOST, 0).into())
        .build()
        .unwrap()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Each request of the adapter has a time limit, and so these have one, too.
const TIMEOUT: Duration = Duration::from_secs(30);
