//! Client of the reference network's control endpoint, and the addresses of the network.

use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// Exclusive access to the reference network. Only one test holds it at a time, because faults,
/// knobs and logs belong to a server, not to a test.
pub(crate) struct Network {
    info: Value,
    _alone: MutexGuard<'static, ()>,
}

impl Network {
    /// Waits for exclusive access, then removes the faults of PDS a and empties all logs.
    pub(crate) fn get() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        static INFO: LazyLock<Value> = LazyLock::new(|| {
            let json = std::env::var("REFERENCE_NETWORK")
                .expect("REFERENCE_NETWORK is set; run these tests with tests/reference/run");
            serde_json::from_str(&json).unwrap()
        });
        // A failed test poisons the lock. The poison is ignored, so that the other tests still run.
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let network = Self { info: INFO.clone(), _alone: alone };
        network.ask("/faults", &json!({"clear": true}));
        network.clear_log();
        network
    }

    /// Returns a string of the network's JSON description by its JSON pointer, for example `/plc`
    /// or `/pds/a/url`.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.info.pointer(pointer).unwrap().as_str().unwrap().to_owned()
    }

    /// Returns the name (`a`, `b`, `r` or `s`) of the PDS with this origin.
    pub(crate) fn name_of(&self, origin: &str) -> &str {
        let mut all = self.info["pds"].as_object().unwrap().iter();
        all.find(|(_, pds)| pds["url"] == origin).unwrap().0
    }

    /// Returns the DID of the account with this handle.
    pub(crate) fn did(&self, handle: &str) -> String {
        let accounts = self.info["accounts"].as_array().unwrap();
        let account = accounts.iter().find(|account| account["handle"] == handle).unwrap();
        account["did"].as_str().unwrap().to_owned()
    }

    /// Returns the CA certificate (PEM), the host name and the address of PDS s, the https server.
    pub(crate) fn https_server(&self) -> (Vec<u8>, String, SocketAddr) {
        let certificate = std::fs::read(self.text("/pds/s/tls/ca_pem")).unwrap();
        let address = self.text("/pds/s/tls/addr").parse().unwrap();
        (certificate, self.text("/pds/s/tls/host"), address)
    }

    /// Signs in as the owner of `handle` and approves the login at the authorization URL `url`.
    /// Returns the response of `POST /approve`.
    pub(crate) fn approve(&self, url: &str, handle: &str) -> Value {
        let password = format!("{}-pass", handle.split('.').next().unwrap());
        let form = json!({"authorization_url": url, "identifier": handle, "password": password});
        self.ask("/approve", &form)
    }

    /// Sends a POST request to the control endpoint and returns the JSON of the response.
    pub(crate) fn ask(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.text("/control"));
        let request = ureq::post(&url).header("content-type", "application/json");
        let answer = request.send(body.to_string()).unwrap().into_body().read_to_string().unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Returns the log entries of a PDS in order, without the requests of the browser.
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
