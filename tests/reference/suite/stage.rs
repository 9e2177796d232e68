//! Implements `Stage` for the reference network, so that the shared flows run against it.

use std::net::TcpListener;
use std::time::Duration;

use atproto_dpop::P256Keys;
use atproto_identity::Resolver;
use atproto_oauth_core::{Client, ClientBuilder, NoncePolicy};
use atproto_oauth_tests::flows::{Account, Adapter, Asynchronous, Jws, Seen, Stage, sign_remotely};
use atproto_sansio::System;
use serde_json::{Value, json};
use url::Url;

use crate::network::Network;

/// The reference network, and the adapter that runs the clients: ureq if `is_blocking`, else
/// reqwest.
///
/// The clients of the two adapters differ in their nonce policy, because the reference servers must
/// satisfy both. The environment variable `NONCE_POLICY` (`strict` or `interop`) sets one policy for
/// all clients.
pub(crate) struct Reference {
    pub(crate) network: Network,
    is_blocking: bool,
    nonce_policy: NoncePolicy,
}

impl Reference {
    pub(crate) fn blocking() -> Self {
        Self::new(true, NoncePolicy::Strict)
    }

    pub(crate) fn asynchronous() -> Self {
        Self::new(false, NoncePolicy::Interop)
    }

    fn new(is_blocking: bool, nonce_policy: NoncePolicy) -> Self {
        let nonce_policy = match std::env::var("NONCE_POLICY").as_deref() {
            Ok("strict") => NoncePolicy::Strict,
            Ok("interop") => NoncePolicy::Interop,
            Ok(other) => panic!("NONCE_POLICY={other} is neither strict nor interop"),
            Err(_) => nonce_policy,
        };
        Self { network: Network::get(), is_blocking, nonce_policy }
    }

    /// Runs a client with the ureq adapter and an empty cache. The driver uses the network's DNS
    /// server, trusts the network's CA, and connects to the address of the https server, PDS s.
    pub(crate) fn ureq(&self, client: Client) -> atproto_oauth_ureq::StatelessClient {
        let (certificate, host, address) = self.network.https_server();
        let driver = atproto_oauth_ureq::Driver::builder(System::new(P256Keys))
            .development()
            .nameserver(self.network.text("/dns").parse().unwrap())
            .root_certificate(&certificate)
            .unwrap()
            .host_override(&host, address)
            .sign_with(sign_remotely)
            .build();
        atproto_oauth_ureq::StatelessClient::with_driver(client, driver)
    }

    /// Runs a client with the reqwest adapter, with the same settings as [`ureq`](Self::ureq).
    pub(crate) fn reqwest(&self, client: Client) -> Asynchronous {
        let (certificate, host, address) = self.network.https_server();
        Asynchronous::new(client, || {
            atproto_oauth_reqwest::Driver::builder(System::new(P256Keys))
                .development()
                .nameserver(self.network.text("/dns").parse().unwrap())
                .root_certificate(&certificate)
                .unwrap()
                .host_override(&host, address)
                .sign_with(|key_id, message| async move { sign_remotely(&key_id, &message) })
                .build()
        })
    }
}

impl Stage for Reference {
    /// The account `sam` is at the https issuer, PDS s.
    fn kinds(&self) -> &'static [&'static str] {
        &["alice", "rita", "sam"]
    }

    fn account(&self, name: &str) -> Account {
        let handle = format!("{name}.test");
        let (pds, issuer) = match name {
            "alice" | "carol" => ("a", "a"),
            "rita" => ("r", "a"),
            "sam" => ("s", "s"),
            other => panic!("the reference network has no account {other}.test"),
        };
        let pds = self.network.text(&format!("/pds/{pds}/url"));
        let issuer = self.network.text(&format!("/pds/{issuer}/issuer"));
        Account { did: self.network.did(&handle), handle, pds, issuer }
    }

    fn directory(&self) -> Url {
        self.network.text("/plc").parse().unwrap()
    }

    fn dns_over_https(&self) -> Url {
        self.network.text("/doh").parse().unwrap()
    }

    fn closed_port(&self) -> Url {
        // The listener is dropped at once, so no server listens on its port.
        let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        format!("http://{dead}").parse().unwrap()
    }

    fn configure(&self, client: ClientBuilder) -> ClientBuilder {
        let resolver = Resolver::new().with_directories([self.directory()]);
        client.resolver(resolver).nonce_policy(self.nonce_policy).development()
    }

    fn publish(&self, client: &Client) {
        let metadata: Value = serde_json::from_str(&client.metadata().unwrap()).unwrap();
        let jwks: Value = serde_json::from_str(&client.jwks()).unwrap();
        let form = json!({
            "client_id": client.client_id(),
            "metadata": metadata,
            "jwks_uri": metadata["jwks_uri"],
            "jwks": jwks,
        });
        self.network.ask("/clients", &form);
    }

    fn run(&self, client: Client) -> Box<dyn Adapter + '_> {
        match self.is_blocking {
            true => Box::new(self.ureq(client)),
            false => Box::new(self.reqwest(client)),
        }
    }

    fn approve(&self, url: &Url, handle: &str) -> String {
        let answer = self.network.approve(url.as_str(), handle);
        if let Some(url) = answer["redirect_url"].as_str() {
            return url.to_owned();
        }
        // For response_mode=form_post, the page has a self-submitting form instead of a redirect.
        let action = answer["action"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let fields = answer["params"].as_object().unwrap();
        let fields = fields.iter().map(|(name, value)| (name, value.as_str().unwrap()));
        let fields =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        format!("{action}#{fields}")
    }

    fn deny(&self, url: &Url) -> String {
        let answer = self.network.ask("/deny", &json!({"authorization_url": url}));
        answer["redirect_url"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    fn log(&self, server: &str) -> Vec<Seen> {
        self.network.log(self.network.name_of(server)).iter().map(seen).collect()
    }

    fn clear_log(&self) {
        self.network.clear_log();
    }

    fn reset_nonces_before(&self, server: &str, path: &str, skip: u32) {
        let pds = self.network.name_of(server);
        let fault = json!({"pds": pds, "path": path, "action": "reset_nonce", "skip": skip});
        self.network.ask("/faults", &fault);
    }

    fn clear_faults(&self) {
        self.network.ask("/faults", &json!({"clear": true}));
    }

    fn set_access_token_lifetime(&self, server: &str, lifetime: Duration) {
        let pds = self.network.name_of(server);
        let knob = json!({"pds": pds, "access_token_ms": lifetime.as_millis() as u64});
        self.network.ask("/knobs", &knob);
    }
}

/// Converts an entry of the network's log.
fn seen(entry: &Value) -> Seen {
    let text = |name: &str| entry[name].as_str().map(str::to_owned);
    let names = entry["header_names"].as_array().unwrap();
    let header_names: Vec<String> =
        names.iter().map(|name| name.as_str().unwrap().to_ascii_lowercase()).collect();
    let proof = entry["dpop"].is_object().then(|| Jws {
        header: entry["dpop_header"].as_object().unwrap().clone(),
        claims: entry["dpop"].as_object().unwrap().clone(),
        signature_bytes: entry["dpop_signature_bytes"].as_u64().unwrap(),
    });
    let assertion = &entry["client_assertion"];
    let assertion = assertion.is_object().then(|| Jws {
        header: assertion["header"].as_object().unwrap().clone(),
        claims: assertion["claims"].as_object().unwrap().clone(),
        signature_bytes: assertion["signature_bytes"].as_u64().unwrap(),
    });
    Seen {
        method: text("method").unwrap(),
        path: text("path").unwrap(),
        query: text("query").unwrap_or_default(),
        at: entry["t"].as_u64().unwrap() / 1000,
        header_names,
        content_type: text("content_type"),
        authorization_scheme: text("authorization_scheme"),
        proof,
        proof_is_signed: entry["dpop_signature_valid"] == true,
        ath_is_right: entry["ath_valid"].as_bool(),
        form: entry["form"].as_object().cloned(),
        assertion,
        status: entry["status"].as_u64(),
        nonce: text("dpop_nonce_out"),
    }
}
