//! The network that the cases run against: the methods that each target implements.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};

/// A network that the cases run against.
///
/// A target has the servers of [`Server`], the accounts `alice` and `carol` on `a`, `bob` on `b`
/// and `rita` on `r`, and a browser.
pub trait Target {
    /// Selects the expected lines of the cases that have lines for both kinds of targets.
    fn strictness(&self) -> Strictness;

    /// Returns the origin of a server, without a slash at its end.
    fn origin(&self, server: Server) -> String;

    /// Returns the account that the cases call `name`.
    fn account(&self, name: &str) -> Account;

    /// Returns the time of the servers' clock, in seconds since 1970.
    fn now(&self) -> u64;

    /// Lets `duration` pass on the servers' clock. A target of real servers waits in real time, so
    /// keep it short.
    fn wait(&mut self, duration: Duration);

    /// Sends a request unchanged, and follows no redirect.
    fn send(&mut self, request: Request<Bytes>) -> Response<Bytes>;

    /// Opens an authorization URL in a browser, and acts as the user.
    fn browse(&mut self, visit: Visit<'_>) -> Landing;

    /// Sets the response that the servers get when they fetch `url`, which is https.
    fn publish(&mut self, url: &str, status: StatusCode, headers: &HeaderMap, body: &str);

    /// Empties the servers' caches of client metadata and keys.
    fn forget_clients(&mut self);

    /// Invalidates all nonces that a server has issued.
    fn reset_nonces(&mut self, server: Server);

    /// Sets the interval at which a server changes its nonces, and invalidates all earlier ones.
    fn rotate_nonces_each(&mut self, server: Server, interval: Duration);

    /// Sets the lifetime of the access tokens that a server issues from now on.
    fn access_token_lifetime(&mut self, server: Server, lifetime: Duration);
}

/// The expected lines that a target must yield, if a case has two versions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strictness {
    /// The lines of the reference servers.
    Reference,
    /// The lines of a server that rejects everything that a specification forbids.
    Strict,
}

/// A server of the network.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Server {
    /// PDS of `alice` and `carol`, and its own authorization server.
    A,
    /// PDS of `bob`, and its own authorization server.
    B,
    /// PDS of `rita`; its authorization server is `a`.
    R,
    /// PLC directory.
    Plc,
}

/// An account with its password.
#[derive(Clone, Debug)]
pub struct Account {
    /// Handle, for example `alice.test`; the target chooses the domain.
    pub handle: String,
    /// DID, of the method `did:plc`.
    pub did: String,
    /// Password for the sign-in page.
    pub password: String,
}

/// A visit to the authorization page.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// Authorization URL.
    pub url: &'a str,
    /// Action of the user.
    pub act: Act<'a>,
    /// Name of a browser that keeps its cookies between visits; `None` is a new browser.
    pub browser: Option<&'a str>,
}

/// An action of the user at the authorization page.
#[derive(Clone, Copy, Debug)]
pub enum Act<'a> {
    /// The user signs in and consents.
    Approve {
        /// Handle or DID that the user types.
        identifier: &'a str,
        /// Password that the user types.
        password: &'a str,
        /// Scopes that the user grants; `None` means all requested ones.
        scopes: Option<&'a str>,
        /// Whether the browser stays signed in.
        remember: bool,
    },
    /// The user denies.
    Deny,
}

/// The result of a visit.
#[derive(Clone, Debug)]
pub enum Landing {
    /// The browser is redirected to this URL of the client.
    Redirect(String),
    /// The browser posts these fields to this URL of the client.
    Form(String, Vec<(String, String)>),
    /// The server shows an error page with this status, and does not redirect the browser.
    Page(StatusCode),
}
