//! Requests by ureq alone, set up as the adapter sets it up, and by the adapter.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use atproto_oauth_ureq::{Driver, StatelessClient, System};
use atproto_sansio::Keys;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::typestate::WithoutBody;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error, RequestBuilder};

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
    move || {
        let reply = app.request(&session, session::request()).unwrap();
        assert_eq!(reply.response.body(), "{}");
    }
}

fn alone(
    server: &Server,
    credentials: impl Fn(RequestBuilder<WithoutBody>) -> RequestBuilder<WithoutBody>,
) -> impl FnMut() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port));
    let agent = Agent::with_parts(config(), DefaultConnector::default(), Fixed(address));
    let url = format!("{}{PATH}", server.origin());
    move || {
        let request = agent.get(&url).header("accept", "application/json");
        let request = credentials(request.header("accept-language", "en"));
        let request = request.header("user-agent", "a-program/1.0");
        let reply = request.config().timeout_global(Some(TIMEOUT)).build().call();
        assert_eq!(reply.unwrap().body_mut().read_to_vec().unwrap(), b"{}");
    }
}

/// The settings of the adapter.
fn config() -> Config {
    Config::builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent("")
        .accept("")
        .accept_encoding("")
        .max_response_header_size(64 * 1024)
        .output_buffer_size(32 * 1024)
        .max_idle_age(Duration::from_secs(4))
        .build()
}

/// A resolver that costs nothing. ureq asks its resolver before it looks for a kept connection, and so its own one
/// would cost a look-up for each request.
#[derive(Debug)]
struct Fixed(SocketAddr);

impl Resolver for Fixed {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(self.0);
        Ok(addresses)
    }
}

/// Each request of the adapter has a time limit, and so these have one, too.
const TIMEOUT: Duration = Duration::from_secs(30);
