//! The state of a replay between two steps.

use std::collections::{BTreeMap, BTreeSet};

use atproto_oauth_core::{Client, NoncePolicy, Pending, Scopes, Session};

use crate::replayer::environment::Environment;

/// The client, its environment, and the results of earlier steps.
#[derive(Clone, Debug)]
pub struct World {
    /// Clocks, entropy and memory.
    pub environment: Environment,
    /// The client.
    pub client: Client,
    /// The login that was begun last.
    pub pending: Option<Pending>,
    /// The session of the last `callback` or `refresh`.
    pub session: Option<Session>,
    /// Values of earlier requests, for the checks of later ones.
    pub seen: Seen,
    names: BTreeMap<&'static str, String>,
}

/// The values that a strict server remembers in order to detect replays.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The `jti` of each proof.
    pub jtis: BTreeSet<String>,
    /// Thumbprint of the DPoP key of the current login.
    pub key: Option<String>,
    /// Thumbprints of the DPoP keys of earlier logins.
    pub old_keys: BTreeSet<String>,
    /// Form of the last pushed authorization request.
    pub pushed: BTreeMap<String, String>,
    /// The `state` of each login.
    pub states: BTreeSet<String>,
}

impl World {
    /// Returns a world without login and session, whose client has the options of the `client`
    /// line.
    ///
    /// # Panics
    ///
    /// Panics if an option is unknown.
    pub fn new(options: &[String]) -> Self {
        let scopes = || Scopes::parse("atproto transition:generic").unwrap();
        let mut builder = Client::loopback(scopes()).redirect_path("/callback");
        for option in options {
            builder = match option.as_str() {
                "nonce=strict" => builder.nonce_policy(NoncePolicy::Strict),
                "published" => Client::web("https://app.client.dev/client.json", scopes())
                    .redirect_uri("https://app.client.dev/callback"),
                "fallback" => builder.resource_metadata_fallback(),
                other => panic!("unknown option of the `client` line: {other}"),
            };
        }
        let client = builder.build().unwrap();
        let client_id: String =
            url::form_urlencoded::byte_serialize(client.client_id().as_bytes()).collect();
        let names = BTreeMap::from([
            ("alice", "did:plc:ewvi7nxzyoun6zhxrhs64oiz".to_owned()),
            ("bob", "did:plc:z72i7hdynmk6r22z27h6tvur".to_owned()),
            ("client_id", client_id),
        ]);
        let environment = Environment::new();
        Self { environment, client, pending: None, session: None, seen: Seen::default(), names }
    }

    /// Stores a login that was begun, and defines `$state` and `$iss`.
    pub fn begun(&mut self, pending: Pending) {
        self.names.insert("state", pending.state().to_owned());
        self.names.insert("iss", issuer(&pending));
        self.pending = Some(pending);
    }

    /// Replaces `$alice` and the other names in `text` by their values.
    pub fn expand(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.names {
            text = text.replace(&format!("${name}"), value);
        }
        text
    }

    /// Simulates a restart of the process: serializes and parses the pending login and the session,
    /// and empties the memory.
    ///
    /// # Panics
    ///
    /// Panics if the serialized login or session cannot be parsed.
    pub fn restart(&mut self) {
        self.environment.forget();
        self.pending = self
            .pending
            .take()
            .map(|pending| Pending::from_json(pending.to_json().unwrap().expose()).unwrap());
        self.session = self
            .session
            .take()
            .map(|session| Session::from_json(session.to_json().unwrap().expose()).unwrap());
    }
}

fn issuer(pending: &Pending) -> String {
    let json: serde_json::Value =
        serde_json::from_str(pending.to_json().unwrap().expose()).unwrap();
    json["server"]["issuer"].as_str().unwrap().to_owned()
}
