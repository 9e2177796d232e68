//! A stage: a network in which flows run, and the driver of their clients.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use atproto_dpop::{Jwk, P256Keys};
use atproto_oauth_core::{
    Authorization, CallbackParams, Client, ClientBuilder, ClientKey, Scopes, Session, Subject, xrpc,
};
use atproto_sansio::{Body, Keys, Signer, SystemEntropy};
use http::Request;
use url::Url;

use crate::flows::{Adapter, Seen};

/// A network with accounts and their users, and one driver for clients.
pub trait Stage {
    /// First labels of the handles of accounts, at least one of each kind.
    fn kinds(&self) -> &'static [&'static str];
    /// Returns the account whose handle has this first label. `alice` and `carol` share a server,
    /// which is its own issuer; the server of `rita` is behind an entryway.
    fn account(&self, name: &str) -> Account;
    /// URL of the PLC directory.
    fn directory(&self) -> Url;
    /// URL of the service for DNS over HTTPS.
    fn dns_over_https(&self) -> Url;
    /// An origin where no server listens.
    fn closed_port(&self) -> Url;

    /// Configures the resolver of a client for this network.
    fn configure(&self, client: ClientBuilder) -> ClientBuilder;
    /// Publishes the metadata document of a client, and its keys at its `jwks_uri`, for the servers of this
    /// network. The servers forget earlier documents.
    fn publish(&self, client: &Client);
    /// Returns a driver for `client` with an empty memory.
    fn run(&self, client: Client) -> Box<dyn Adapter + '_>;

    /// Opens the authorization URL, signs in with `handle` and consents. Returns the URL to which
    /// the browser is redirected; with `form_post`, the fields of the form are in its fragment.
    fn approve(&self, url: &Url, handle: &str) -> String;
    /// Opens the authorization URL and denies. Returns the URL to which the browser is redirected.
    fn deny(&self, url: &Url) -> String;

    /// Returns the requests of clients that the server at this origin received since the last
    /// `clear_log`, in order.
    fn log(&self, server: &str) -> Vec<Seen>;
    /// Empties the logs of all servers.
    fn clear_log(&self);
    /// Plans a fault: after `skip` requests with this path, all nonces of the server become invalid
    /// before the next one.
    fn reset_nonces_before(&self, server: &str, path: &str, skip: u32);
    /// Removes all planned faults.
    fn clear_faults(&self);
    /// Sets the lifetime of the access tokens that a server issues from now on.
    fn set_access_token_lifetime(&self, server: &str, lifetime: Duration);
}

/// An account and its servers.
#[derive(Clone, Debug)]
pub struct Account {
    /// Handle.
    pub handle: String,
    /// DID.
    pub did: String,
    /// Origin of the PDS.
    pub pds: String,
    /// Origin of the authorization server.
    pub issuer: String,
}

/// Redirect URI of loopback clients.
pub const CALLBACK: &str = "http://127.0.0.1:7777/callback";
/// Redirect URI of clients with a published metadata document.
pub(crate) const WEB_CALLBACK: &str = "https://app.client.dev/callback";
const CLIENT_ID: &str = "https://app.client.dev/oauth-client-metadata.json";
const OTHER_CLIENT_ID: &str = "https://app.client.dev/other.json";

/// Id of the remote client key; only drivers can sign with it, by [`sign_remotely`].
pub const REMOTE_KEY_ID: &str = "the key in the safe";

/// The remote client key with the id [`REMOTE_KEY_ID`].
pub static REMOTE_KEY: LazyLock<Arc<dyn Signer>> = LazyLock::new(new_key);

fn new_key() -> Arc<dyn Signer> {
    P256Keys.generate(&mut SystemEntropy)
}

/// Signs `message` with [`REMOTE_KEY`], as the remote signer of a driver.
///
/// # Errors
///
/// Fails if the key backend fails.
///
/// # Panics
///
/// Panics if `key_id` is not [`REMOTE_KEY_ID`].
pub fn sign_remotely(key_id: &str, message: &[u8]) -> Result<[u8; 64], String> {
    assert_eq!(key_id, REMOTE_KEY_ID);
    REMOTE_KEY.sign(message).map_err(|error| error.to_string())
}

/// Returns the request `com.atproto.server.getSession`.
///
/// # Panics
///
/// Never panics, because the method name is valid.
pub fn who_am_i() -> Request<Body> {
    xrpc::query("com.atproto.server.getSession", &[]).unwrap()
}

impl dyn Stage + '_ {
    /// Returns a loopback client, which needs no published metadata.
    pub fn loopback(&self) -> Client {
        self.configure(Client::loopback(scopes()).redirect_path("/callback")).build().unwrap()
    }

    /// Returns a confidential client with a local key, and publishes its metadata.
    pub fn confidential(&self) -> Client {
        // The key is always the same, because servers cache the metadata.
        static OWN: LazyLock<Arc<dyn Signer>> = LazyLock::new(new_key);
        self.published(CLIENT_ID, ClientKey::new(Arc::clone(&OWN)).unwrap())
    }

    /// Returns a confidential client whose key is [`REMOTE_KEY`], and publishes its metadata.
    pub fn confidential_with_remote_key(&self) -> Client {
        let public = Jwk::new(*REMOTE_KEY.public()).unwrap();
        self.published(OTHER_CLIENT_ID, ClientKey::remote(REMOTE_KEY_ID, public))
    }

    fn published(&self, client_id: &str, key: ClientKey) -> Client {
        let client = Client::web(client_id, scopes());
        let client = client.redirect_uri(WEB_CALLBACK).key(key);
        let client = self.configure(client).build().unwrap();
        self.publish(&client);
        client
    }

    /// Runs a client of each kind: loopback, confidential with a local key, and with a remote key.
    pub fn clients(&self) -> [Box<dyn Adapter + '_>; 3] {
        [self.loopback(), self.confidential(), self.confidential_with_remote_key()]
            .map(|client| self.run(client))
    }

    /// Runs a loopback client with an empty memory.
    pub fn client(&self) -> Box<dyn Adapter + '_> {
        self.run(self.loopback())
    }

    /// Begins a login with the redirect URI of the client.
    pub fn begin(&self, client: &dyn Adapter, subject: &str) -> Authorization {
        let is_loopback = client.client().metadata().is_none();
        let redirect_uri: Url = if is_loopback { CALLBACK } else { WEB_CALLBACK }.parse().unwrap();
        let subject = Subject::parse(subject).unwrap();
        client.authorize(subject, &|login| login.redirect_uri(redirect_uri.clone())).unwrap()
    }

    /// Logs the account `name` in.
    pub fn log_in(&self, client: &dyn Adapter, name: &str) -> Session {
        let account = self.account(name);
        let begun = self.begin(client, &account.handle);
        self.finish(client, begun, &account)
    }

    /// Finishes a login: `account` consents, and the client handles the callback.
    pub fn finish(&self, client: &dyn Adapter, begun: Authorization, account: &Account) -> Session {
        let back = self.approve(&begun.url, &account.handle);
        client.callback(begun.pending, CallbackParams::parse(&back).unwrap()).unwrap().session
    }
}

fn scopes() -> Scopes {
    Scopes::parse("atproto transition:generic").unwrap()
}
