//! The reference network: what to connect to, and its control endpoint.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use atproto_dpop::{Jwk, P256Keys};
use atproto_identity::Resolver;
use atproto_oauth_core::{
    Authorization, CallbackParams, Client, ClientBuilder, ClientKey, Scopes, Session, Subject,
};
use atproto_oauth_ureq::{Driver, OAuthClient};
use atproto_sansio::{Keys, Signer, System, SystemEntropy};
use serde_json::{Value, json};

use crate::adapters::{Adapter, Asynchronous, Plain};

/// The network, for one test at a time: faults, knobs and logs belong to a server, not to a test.
pub(crate) struct Network {
    info: Value,
    _alone: MutexGuard<'static, ()>,
}

pub(crate) const CALLBACK: &str = "http://127.0.0.1:7777/callback";
const CLIENT_ID: &str = "https://app.client.dev/oauth-client-metadata.json";
const OTHER_CLIENT_ID: &str = "https://app.client.dev/other.json";
const WEB_CALLBACK: &str = "https://app.client.dev/callback";

/// A key that no client has.
static SAFE: LazyLock<Arc<dyn Signer>> = LazyLock::new(|| P256Keys.generate(&mut SystemEntropy));

fn sign(key_id: &str, message: &[u8]) -> Result<[u8; 64], String> {
    assert_eq!(key_id, "the key in the safe");
    SAFE.sign(message).map_err(|error| error.to_string())
}

fn scopes() -> Scopes {
    Scopes::parse("atproto transition:generic").unwrap()
}

impl Network {
    /// The network with no faults and an empty log.
    pub(crate) fn get() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        static INFO: LazyLock<Value> = LazyLock::new(|| {
            let json =
                std::env::var("REFERENCE_NETWORK").expect("run this with tests/reference/run");
            serde_json::from_str(&json).unwrap()
        });
        // A test that failed must not fail the others.
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let network = Self { info: INFO.clone(), _alone: alone };
        network.ask("/faults", &json!({"clear": true}));
        network.clear_log();
        network
    }

    /// A member of the network's description, as text: `/plc`, `/pds/a/url`.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.info.pointer(pointer).unwrap().as_str().unwrap().to_owned()
    }

    /// The DID of an account.
    pub(crate) fn did(&self, handle: &str) -> String {
        let accounts = self.info["accounts"].as_array().unwrap();
        let account = accounts.iter().find(|account| account["handle"] == handle).unwrap();
        account["did"].as_str().unwrap().to_owned()
    }

    /// A loopback client over ureq, with an empty memory.
    pub(crate) fn client(&self) -> OAuthClient {
        OAuthClient::new(self.loopback(), self.blocking())
    }

    /// Every kind of client over every adapter, each with an empty memory.
    pub(crate) fn clients(&self) -> Vec<Box<dyn Adapter>> {
        let clients = [self.loopback(), self.confidential(), self.confidential_elsewhere()];
        let blocking = clients.clone().map(|client| -> Box<dyn Adapter> {
            Box::new(OAuthClient::new(client, self.blocking()))
        });
        let asynchronous = clients
            .map(|client| -> Box<dyn Adapter> { Box::new(self.asynchronous_client(client)) });
        blocking.into_iter().chain(asynchronous).collect()
    }

    /// A client over reqwest, with an empty memory.
    pub(crate) fn asynchronous_client(&self, client: Client) -> Asynchronous {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let driver = runtime.block_on(async { self.asynchronous() });
        let client = atproto_oauth_reqwest::OAuthClient::new(client, driver);
        Asynchronous { runtime, client }
    }

    /// A client over the transport of the README.
    pub(crate) fn plain_client(&self) -> Plain {
        Plain { client: self.loopback(), system: System::new(P256Keys) }
    }

    pub(crate) fn loopback(&self) -> Client {
        self.configure(Client::loopback(scopes()).redirect_path("/callback"))
    }

    /// A confidential client with a new key.
    pub(crate) fn confidential(&self) -> Client {
        let key = ClientKey::new(P256Keys.generate(&mut SystemEntropy)).unwrap();
        self.publish(CLIENT_ID, key)
    }

    /// A confidential client whose key is not given to it: the drivers sign with it.
    fn confidential_elsewhere(&self) -> Client {
        let public = Jwk::new(*SAFE.public()).unwrap();
        self.publish(OTHER_CLIENT_ID, ClientKey::elsewhere("the key in the safe", public))
    }

    /// A client whose metadata the servers can fetch.
    fn publish(&self, client_id: &str, key: ClientKey) -> Client {
        let client =
            Client::web(client_id, scopes()).redirect_uri(WEB_CALLBACK.parse().unwrap()).key(key);
        let client = self.configure(client);
        let metadata: Value = serde_json::from_str(&client.metadata().unwrap()).unwrap();
        self.ask("/clients", &json!({"client_id": client_id, "metadata": metadata}));
        client
    }

    fn configure(&self, client: ClientBuilder) -> Client {
        let plc = self.text("/plc").parse().unwrap();
        client.resolver(Resolver::new().with_directories([plc])).development().build().unwrap()
    }

    /// Asks the network's DNS server, and finds the server that has a certificate.
    fn blocking(&self) -> Driver {
        let (certificate, host, address) = self.https_server();
        Driver::builder(System::new(P256Keys))
            .development()
            .nameserver(self.text("/dns").parse().unwrap())
            .root_certificate(&certificate)
            .unwrap()
            .host_override(&host, address)
            .sign_with(sign)
            .build()
    }

    fn asynchronous(&self) -> atproto_oauth_reqwest::Driver {
        let (certificate, host, address) = self.https_server();
        atproto_oauth_reqwest::Driver::builder(System::new(P256Keys))
            .development()
            .nameserver(self.text("/dns").parse().unwrap())
            .root_certificate(&certificate)
            .unwrap()
            .host_override(&host, address)
            .sign_with(|key_id, message| async move { sign(&key_id, &message) })
            .build()
    }

    fn https_server(&self) -> (Vec<u8>, String, SocketAddr) {
        let certificate = std::fs::read(self.text("/pds/s/tls/ca_pem")).unwrap();
        let address = self.text("/pds/s/tls/addr").parse().unwrap();
        (certificate, self.text("/pds/s/tls/host"), address)
    }

    /// Begins a login of `handle`.
    pub(crate) fn begin(&self, client: &dyn Adapter, handle: &str) -> Authorization {
        let subject = Subject::parse(handle).unwrap();
        let is_loopback = client.client().metadata().is_none();
        let redirect_uri = if is_loopback { CALLBACK } else { WEB_CALLBACK }.parse().unwrap();
        let login = client.client().authorize(subject).redirect_uri(redirect_uri);
        client.authorize(login).unwrap()
    }

    /// A whole login.
    pub(crate) fn log_in(&self, client: &dyn Adapter, handle: &str) -> Session {
        let begun = self.begin(client, handle);
        let callback = self.approve(begun.url.as_str(), handle);
        client.callback(begun.pending, CallbackParams::parse(&callback).unwrap()).unwrap().session
    }

    /// Signs in as the owner of `handle` and consents: where the browser is sent then.
    pub(crate) fn approve(&self, url: &str, handle: &str) -> String {
        let password = format!("{}-pass", handle.split('.').next().unwrap());
        let form = json!({"authorization_url": url, "identifier": handle, "password": password});
        let answer = self.ask("/approve", &form);
        answer["redirect_url"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Refuses consent: where the browser is sent then.
    pub(crate) fn deny(&self, url: &str) -> String {
        let answer = self.ask("/deny", &json!({"authorization_url": url}));
        answer["redirect_url"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Asks something of the control endpoint.
    pub(crate) fn ask(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.text("/control"));
        let request = ureq::post(&url).header("content-type", "application/json");
        let answer = request.send(body.to_string()).unwrap().into_body().read_to_string().unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// What server `a` saw from the client, in order, without the browser's part.
    pub(crate) fn log(&self) -> Vec<Value> {
        let url = format!("{}/log?pds=a", self.text("/control"));
        let log = ureq::get(&url).call().unwrap().into_body().read_to_string().unwrap();
        let entries: Vec<Value> = serde_json::from_str(&log).unwrap();
        entries.into_iter().filter(|entry| entry["browser"] != true).collect()
    }

    pub(crate) fn clear_log(&self) {
        self.ask("/log/clear", &json!({}));
    }
}
