//! The reference network: what to connect to, and its control endpoint.

use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// The network, for one test at a time: faults, knobs and logs belong to a server, not to a test.
pub(crate) struct Network {
    info: Value,
    _alone: MutexGuard<'static, ()>,
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

    /// The name of the PDS with this origin.
    pub(crate) fn name_of(&self, origin: &str) -> &str {
        let mut all = self.info["pds"].as_object().unwrap().iter();
        all.find(|(_, pds)| pds["url"] == origin).unwrap().0
    }

    /// The DID of an account.
    pub(crate) fn did(&self, handle: &str) -> String {
        let accounts = self.info["accounts"].as_array().unwrap();
        let account = accounts.iter().find(|account| account["handle"] == handle).unwrap();
        account["did"].as_str().unwrap().to_owned()
    }

    /// The server with a certificate: who vouches for it, its name, where it is.
    pub(crate) fn https_server(&self) -> (Vec<u8>, String, SocketAddr) {
        let certificate = std::fs::read(self.text("/pds/s/tls/ca_pem")).unwrap();
        let address = self.text("/pds/s/tls/addr").parse().unwrap();
        (certificate, self.text("/pds/s/tls/host"), address)
    }

    /// Signs in as the owner of `handle` and consents: what became of the browser.
    pub(crate) fn approve(&self, url: &str, handle: &str) -> Value {
        let password = format!("{}-pass", handle.split('.').next().unwrap());
        let form = json!({"authorization_url": url, "identifier": handle, "password": password});
        self.ask("/approve", &form)
    }

    /// Asks something of the control endpoint.
    pub(crate) fn ask(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.text("/control"));
        let request = ureq::post(&url).header("content-type", "application/json");
        let answer = request.send(body.to_string()).unwrap().into_body().read_to_string().unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// What a server saw from the client, in order, without the browser's part.
    pub(crate) fn log(&self, pds: &str) -> Vec<Value> {
        let url = format!("{}/log?pds={pds}", self.text("/control"));
        let log = ureq::get(&url).call().unwrap().into_body().read_to_string().unwrap();
        let entries: Vec<Value> = serde_json::from_str(&log).unwrap();
        entries.into_iter().filter(|entry| entry["browser"] != true).collect()
    }

    pub(crate) fn clear_log(&self) {
        self.ask("/log/clear", &json!({}));
    }
}
