//! What is carried from one step of a transcript to the next.

use std::collections::{BTreeMap, BTreeSet};

use atproto_oauth_core::{Client, NoncePolicy, Pending, Scopes, Session};

use crate::replayer::environment::Environment;

/// What is carried from one step to the next.
#[derive(Clone, Debug)]
pub struct World {
    /// Time, entropy and memory.
    pub environment: Environment,
    /// The client.
    pub client: Client,
    /// The login that was begun last.
    pub pending: Option<Pending>,
    /// The session that there is.
    pub session: Option<Session>,
    /// What was seen of the proofs so far.
    pub seen: Seen,
    names: BTreeMap<&'static str, String>,
}

/// What a strict server remembers.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Of all proofs.
    pub jtis: BTreeSet<String>,
    /// The thumbprint of the login's key.
    pub key: Option<String>,
    /// Those of earlier logins.
    pub old_keys: BTreeSet<String>,
    /// What the pushed request announced: `code_challenge`, `redirect_uri`, `state`.
    pub pushed: BTreeMap<String, String>,
    /// Of all logins.
    pub states: BTreeSet<String>,
}

impl World {
    /// An empty one, with a client as its `client` line says.
    ///
    /// # Panics
    ///
    /// The line asks for something else.
    pub fn new(options: &[String]) -> Self {
        let mut builder = Client::loopback(Scopes::parse("atproto transition:generic").unwrap())
            .redirect_path("/callback");
        for option in options {
            builder = match option.as_str() {
                "nonce=interop" => builder.nonce_policy(NoncePolicy::Interop),
                "fallback" => builder.resource_metadata_fallback(),
                other => panic!("a client has no option {other}"),
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

    /// Keeps a login that was begun.
    pub fn begun(&mut self, pending: Pending) {
        self.names.insert("state", pending.state().to_owned());
        self.names.insert("iss", issuer(&pending));
        self.pending = Some(pending);
    }

    /// `text` with the names replaced by what they stand for.
    pub fn expand(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.names {
            text = text.replace(&format!("${name}"), value);
        }
        text
    }

    /// The process ends, and another one goes on with what was stored.
    ///
    /// # Panics
    ///
    /// What was stored can't be read.
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
