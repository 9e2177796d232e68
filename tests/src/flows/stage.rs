//! Where flows are played: a network, and something to run a client's procedures in it.

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

/// A network with people in it, and one way to run procedures there.
pub trait Stage {
    /// An account of each kind that there is, by the first label of its handle.
    fn kinds(&self) -> &'static [&'static str];
    /// The account with this first label. `alice` and `carol` are of the same server, which is its own
    /// issuer; the server of `rita` is behind an entryway.
    fn account(&self, name: &str) -> Account;
    /// A directory of `did:plc`.
    fn directory(&self) -> Url;
    /// A service for DNS over HTTPS.
    fn dns_over_https(&self) -> Url;
    /// An origin where nobody answers.
    fn closed_port(&self) -> Url;

    /// Gives a client what it needs to find this network.
    fn configure(&self, client: ClientBuilder) -> ClientBuilder;
    /// Lets servers find a client's metadata.
    fn publish(&self, client: &Client);
    /// Runs a client in a new process, with an empty memory.
    fn run(&self, client: Client) -> Box<dyn Adapter + '_>;

    /// Signs in with this handle and consents: where the browser is sent then. What a form would post
    /// is in the fragment.
    fn approve(&self, url: &Url, handle: &str) -> String;
    /// Does not consent: where the browser is sent then.
    fn deny(&self, url: &Url) -> String;

    /// What the server at this origin saw from clients, in order, since the log was cleared.
    fn log(&self, server: &str) -> Vec<Seen>;
    /// Empties all logs.
    fn clear_log(&self);
    /// All nonces of a server become worthless before the next request with this path, after `skip`
    /// of them.
    fn reset_nonces_before(&self, server: &str, path: &str, skip: u32);
    /// What was to happen does not any more.
    fn clear_faults(&self);
    /// How long the access tokens that a server issues from now on are good.
    fn set_access_token_lifetime(&self, server: &str, lifetime: Duration);
}

/// An account and where it is.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its handle.
    pub handle: String,
    /// Its DID.
    pub did: String,
    /// The origin of its server.
    pub pds: String,
    /// The origin of its authorization server.
    pub issuer: String,
}

/// The redirect URI of loopback clients.
pub const CALLBACK: &str = "http://127.0.0.1:7777/callback";
const WEB_CALLBACK: &str = "https://app.client.dev/callback";
const CLIENT_ID: &str = "https://app.client.dev/oauth-client-metadata.json";
const OTHER_CLIENT_ID: &str = "https://app.client.dev/other.json";

/// The name of a key that no client has: transports sign with it.
pub const REMOTE_KEY_ID: &str = "the key in the safe";

/// That key.
pub static REMOTE_KEY: LazyLock<Arc<dyn Signer>> = LazyLock::new(new_key);

fn new_key() -> Arc<dyn Signer> {
    P256Keys.generate(&mut SystemEntropy)
}

/// Signs with the key that no client has.
///
/// # Errors
///
/// It can't.
///
/// # Panics
///
/// Another key is asked for.
pub fn sign_remotely(key_id: &str, message: &[u8]) -> Result<[u8; 64], String> {
    assert_eq!(key_id, REMOTE_KEY_ID);
    REMOTE_KEY.sign(message).map_err(|error| error.to_string())
}

/// A call that says whose session it is.
///
/// # Panics
///
/// Never.
pub fn who_am_i() -> Request<Body> {
    xrpc::query("com.atproto.server.getSession", &[]).unwrap()
}

impl dyn Stage + '_ {
    /// A client without a document.
    pub fn loopback(&self) -> Client {
        self.configure(Client::loopback(scopes()).redirect_path("/callback")).build().unwrap()
    }

    /// A confidential client.
    pub fn confidential(&self) -> Client {
        // Always with the same key: servers remember what they have fetched.
        static OWN: LazyLock<Arc<dyn Signer>> = LazyLock::new(new_key);
        self.published(CLIENT_ID, ClientKey::new(Arc::clone(&OWN)).unwrap())
    }

    /// A confidential client whose key is not given to it.
    pub fn confidential_with_remote_key(&self) -> Client {
        let public = Jwk::new(*REMOTE_KEY.public()).unwrap();
        self.published(OTHER_CLIENT_ID, ClientKey::remote(REMOTE_KEY_ID, public))
    }

    fn published(&self, client_id: &str, key: ClientKey) -> Client {
        let client = Client::web(client_id, scopes());
        let client = client.redirect_uri(WEB_CALLBACK.parse().unwrap()).key(key);
        let client = self.configure(client).build().unwrap();
        self.publish(&client);
        client
    }

    /// Every kind of client, each in a process of its own.
    pub fn clients(&self) -> [Box<dyn Adapter + '_>; 3] {
        [self.loopback(), self.confidential(), self.confidential_with_remote_key()]
            .map(|client| self.run(client))
    }

    /// A loopback client in a process of its own.
    pub fn client(&self) -> Box<dyn Adapter + '_> {
        self.run(self.loopback())
    }

    /// Begins a login.
    pub fn begin(&self, client: &dyn Adapter, subject: &str) -> Authorization {
        let is_loopback = client.client().metadata().is_none();
        let redirect_uri: Url = if is_loopback { CALLBACK } else { WEB_CALLBACK }.parse().unwrap();
        let subject = Subject::parse(subject).unwrap();
        client.authorize(subject, &|login| login.redirect_uri(redirect_uri.clone())).unwrap()
    }

    /// A whole login.
    pub fn log_in(&self, client: &dyn Adapter, name: &str) -> Session {
        let account = self.account(name);
        let begun = self.begin(client, &account.handle);
        self.finish(client, begun, &account)
    }

    /// The rest of a login: this account consents, and the browser comes back.
    pub fn finish(&self, client: &dyn Adapter, begun: Authorization, account: &Account) -> Session {
        let back = self.approve(&begun.url, &account.handle);
        client.callback(begun.pending, CallbackParams::parse(&back).unwrap()).unwrap().session
    }
}

fn scopes() -> Scopes {
    Scopes::parse("atproto transition:generic").unwrap()
}
