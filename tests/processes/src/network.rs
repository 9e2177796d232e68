//! The network that the sessions are at: a sandbox, or the reference servers.

use std::fmt::Write;
use std::net::SocketAddr;

use atproto_identity::Resolver;
use atproto_oauth_core::{Client, Scopes};
use atproto_sansio::UnixTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::Outcome;

/// A network with accounts, whose authorization servers log their token requests.
pub trait Network {
    /// Addresses that a client needs to reach the network.
    fn address(&self) -> Address;

    /// The accounts to log in.
    fn accounts(&self) -> Vec<Account>;

    /// The owner of the account consents to the login at `url`. Returns the URL of the callback.
    ///
    /// # Errors
    ///
    /// Fails if the server does not redirect the browser.
    fn approve(&self, url: &Url, handle: &str) -> Outcome<String>;

    /// Sets whether refreshes are answered slowly, so that a kill in the middle of one is likely.
    fn slow_down(&self, is_slow: bool);

    /// Reads the log of the servers. It is called about once in a second, because logs are bounded.
    ///
    /// # Errors
    ///
    /// Fails if the log may have lost an entry.
    fn watch(&mut self) -> Outcome<()>;

    /// All refreshes, in the order of their arrival.
    ///
    /// # Errors
    ///
    /// Fails like [`watch`](Self::watch).
    fn spends(&mut self) -> Outcome<Vec<Spend>>;
}

/// An account of the network.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its handle.
    pub handle: String,
    /// Whether its access tokens live long enough to be used several times. If not, each use renews
    /// them.
    pub is_reusable: bool,
}

/// Addresses of a network on loopback.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Address {
    /// The PLC directory.
    pub plc: Url,
    /// The nameserver for TXT records.
    pub nameserver: SocketAddr,
    /// Hosts that no DNS knows.
    pub hosts: Vec<(String, SocketAddr)>,
}

/// The answer to a request that sends a refresh token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The server has issued new tokens.
    Granted,
    /// The server has issued no tokens.
    Refused,
    /// The log does not tell the answer, because the client has gone away.
    Unknown,
}

/// One request that sends a refresh token.
#[derive(Clone, Debug)]
pub struct Spend {
    /// [`hash`] of the refresh token.
    pub token: String,
    /// Time of its arrival.
    pub at: UnixTime,
    /// The answer of the server.
    pub answer: Answer,
    /// [`hash`] of the new refresh token, if the log has it.
    pub next: Option<String>,
    /// Whether access tokens of this server are [reusable](Account::is_reusable).
    pub is_reusable: bool,
}

impl Address {
    /// The client of all processes.
    pub(crate) fn client(&self) -> Outcome<Client> {
        let scopes = Scopes::parse("atproto transition:generic")?;
        let resolver = Resolver::new().with_directories([self.plc.clone()]);
        let client = Client::loopback(scopes).redirect_path("/callback").development();
        Ok(client.resolver(resolver).build()?)
    }
}

/// A name for a token that is no secret: the begin of its SHA-256 hash, in hexadecimal.
pub fn hash(token: &str) -> String {
    Sha256::digest(token).iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
