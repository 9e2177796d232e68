//! The reference network: what to connect to, and its control endpoint.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use atproto_dpop::P256Keys;
use atproto_identity::Resolver;
use atproto_oauth_core::{Authorization, CallbackParams, Client, Scopes, Session, Subject};
use atproto_oauth_ureq::{Driver, OAuthClient};
use atproto_sansio::System;
use serde_json::{Value, json};

/// The network, for one test at a time: faults, knobs and logs belong to a server, not to a test.
pub(crate) struct Network {
    info: Value,
    _alone: MutexGuard<'static, ()>,
}

pub(crate) const CALLBACK: &str = "http://127.0.0.1:7777/callback";

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

    /// A client with an empty memory.
    pub(crate) fn client(&self) -> OAuthClient {
        let plc = self.text("/plc").parse().unwrap();
        let client = Client::loopback(Scopes::parse("atproto transition:generic").unwrap())
            .redirect_path("/callback")
            .resolver(Resolver::new().with_directories([plc]))
            .development()
            .build()
            .unwrap();
        let driver = Driver::builder(System::new(P256Keys))
            .development()
            .nameserver(self.text("/dns").parse().unwrap())
            .build();
        OAuthClient::new(client, driver)
    }

    /// Begins a login of `handle`.
    pub(crate) fn begin(&self, client: &OAuthClient, handle: &str) -> Authorization {
        let subject = Subject::parse(handle).unwrap();
        let redirect_uri = CALLBACK.parse().unwrap();
        client.authorize_with(subject, |authorize| authorize.redirect_uri(redirect_uri)).unwrap()
    }

    /// A whole login.
    pub(crate) fn log_in(&self, client: &OAuthClient, handle: &str) -> Session {
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
