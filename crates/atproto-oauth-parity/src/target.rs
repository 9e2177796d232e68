//! What a case may use: a network of AT Protocol servers, whoever plays them.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};

/// A network that the cases run against.
///
/// It has the servers of [`Server`], the accounts `alice` and `carol` on `a`, `bob` on `b` and
/// `rita` on `r`, and a browser with a person at it.
pub trait Target {
    /// What the network is, in the words of the cases that tell targets apart.
    fn strictness(&self) -> Strictness;

    /// The origin of a server, without a slash at its end.
    fn origin(&self, server: Server) -> String;

    /// The account that the cases call `name`.
    fn account(&self, name: &str) -> Account;

    /// Seconds since 1970, by the servers' clock.
    fn now(&self) -> u64;

    /// Lets time pass. Against real servers this is real time: keep it short.
    fn wait(&mut self, duration: Duration);

    /// Sends a request as it is, and follows no redirect.
    fn send(&mut self, request: Request<Bytes>) -> Response<Bytes>;

    /// Opens an authorization URL in a browser and acts as its user.
    fn browse(&mut self, visit: Visit<'_>) -> Landing;

    /// Puts a document where the servers find it when they fetch `url`, which is https.
    fn publish(&mut self, url: &str, status: StatusCode, headers: &HeaderMap, body: &str);

    /// Makes the servers fetch the documents of clients anew.
    fn forget_clients(&mut self);

    /// Makes all nonces invalid that a server gave out.
    fn reset_nonces(&mut self, server: Server);

    /// Sets how often a server's nonces change, and makes all former ones invalid.
    fn rotate_nonces_each(&mut self, server: Server, interval: Duration);

    /// Sets the lifetime of the access tokens that a server issues from now on.
    fn access_token_lifetime(&mut self, server: Server, lifetime: Duration);
}

/// Which lines of a case a target has to give, where there are two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strictness {
    /// As the reference servers do.
    Reference,
    /// As a server does that takes nothing that a specification forbids.
    Strict,
}

/// A server of the network.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Server {
    /// Keeps accounts and is their authorization server.
    A,
    /// The same; another authorization server.
    B,
    /// Keeps accounts; `a` is their authorization server.
    R,
    /// The directory of `did:plc` documents.
    Plc,
}

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct Account {
    /// `alice.test`, or whatever the target calls it.
    pub handle: String,
    /// A `did:plc`.
    pub did: String,
    /// For the sign-in page.
    pub password: String,
}

/// A visit to the authorization page.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// The authorization URL.
    pub url: &'a str,
    /// What the user does there.
    pub act: Act<'a>,
    /// The name of a browser whose cookies are kept; a new browser without one.
    pub browser: Option<&'a str>,
}

/// What the user does at the authorization page.
#[derive(Clone, Copy, Debug)]
pub enum Act<'a> {
    /// Signs in and consents.
    Approve {
        /// The handle or DID that is typed.
        identifier: &'a str,
        /// The password that is typed.
        password: &'a str,
        /// The scopes that are consented to, if not all.
        scopes: Option<&'a str>,
        /// Whether the browser stays signed in.
        remember: bool,
    },
    /// Refuses.
    Deny,
}

/// Where a visit ended.
#[derive(Clone, Debug)]
pub enum Landing {
    /// The browser was sent to this URL of the client.
    Redirect(String),
    /// The browser posts these fields to a URL of the client.
    Form(String, Vec<(String, String)>),
    /// The page says that something is wrong, and nobody is sent anywhere.
    Page(StatusCode),
}
