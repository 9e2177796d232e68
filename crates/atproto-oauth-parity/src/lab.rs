//! The environment of a script: the target, the nonces of its servers, and the lines so far.

use std::collections::HashMap;

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use super::draft::Draft;
use super::jwt::{Jwt, Key, random};
use super::seen::Answer;
use super::target::{Account, Act, Landing, Server, Target, Visit};

/// The environment of the script of one case.
pub(crate) struct Lab<'a> {
    pub(crate) target: &'a mut dyn Target,
    /// The newest nonce of each server.
    nonces: HashMap<Server, String>,
    lines: Vec<String>,
    /// Random prefix of the browsers of this run, so that no run shares cookies with another.
    run: String,
}

impl<'a> Lab<'a> {
    pub(super) fn new(target: &'a mut dyn Target) -> Self {
        Self { target, nonces: HashMap::new(), lines: Vec::new(), run: random() }
    }

    pub(super) fn seen(self) -> String {
        self.lines.join("\n")
    }

    /// Adds a line that does not describe a response.
    pub(crate) fn note(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Adds a line with the members of a response.
    pub(crate) fn members(&mut self, answer: &Answer) {
        self.note(answer.members());
    }

    pub(super) fn send(&mut self, draft: &Draft, is_shown: bool) -> Answer {
        let origin = self.target.origin(draft.server);
        let answer = Answer::new(self.target.send(draft.request(&origin)));
        if let Some(nonce) = answer.nonce() {
            self.nonces.insert(draft.server, nonce);
        }
        if is_shown {
            self.note(answer.line(draft));
        }
        answer
    }

    /// Returns a valid nonce of a server; requests one if the server has not sent any.
    pub(crate) fn nonce(&mut self, server: Server) -> String {
        if !self.nonces.contains_key(&server) {
            let path = "/xrpc/com.atproto.server.getSession";
            Draft::new(server, Method::GET, path).authorization("DPoP none").send_quietly(self);
        }
        self.nonces[&server].clone()
    }

    /// Forgets all nonces, like a client that restarts.
    pub(crate) fn forget_nonces(&mut self) {
        self.nonces.clear();
    }

    pub(crate) fn url(&self, server: Server, path: &str) -> String {
        format!("{}{path}", self.target.origin(server))
    }

    pub(crate) fn account(&self, name: &str) -> Account {
        self.target.account(name)
    }

    /// Returns a valid proof for a request.
    pub(crate) fn proof(&mut self, key: &Key, server: Server, method: &str, path: &str) -> Jwt {
        let url = self.url(server, path);
        let nonce = self.nonce(server);
        Jwt::proof(key, method, &url, self.target.now()).claim("nonce", nonce)
    }

    /// Opens an authorization URL, signs in as `name` and consents to all scopes.
    pub(crate) fn approve(&mut self, url: &str, name: &str, browser: Option<&str>) -> Landing {
        let Account { handle, password, .. } = self.account(name);
        let act = Act::Approve {
            identifier: &handle,
            password: &password,
            scopes: None,
            remember: browser.is_some(),
        };
        self.browse(url, act, browser)
    }

    /// Opens an authorization URL. A browser with a name keeps its cookies during a case.
    pub(crate) fn browse(&mut self, url: &str, act: Act<'_>, browser: Option<&str>) -> Landing {
        let browser = browser.map(|browser| format!("{}-{browser}", self.run));
        self.target.browse(Visit { url, act, browser: browser.as_deref() })
    }

    /// Returns a client id that no other case uses.
    pub(crate) fn client_id(&self) -> String {
        format!("https://app.client.dev/{}/metadata.json", random())
    }

    /// Publishes a JSON document at `url`, and empties the servers' caches of clients.
    pub(crate) fn publish(&mut self, url: &str, document: &Value) {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        self.publish_as(url, StatusCode::OK, &headers, &document.to_string());
    }

    /// Publishes any response at `url`, and empties the servers' caches of clients.
    pub(crate) fn publish_as(
        &mut self,
        url: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &str,
    ) {
        self.target.publish(url, status, headers, body);
        self.target.forget_clients();
    }
}

/// Returns the metadata of a public web client with the redirect URI
/// `https://app.client.dev/callback`.
pub(crate) fn metadata(client_id: &str) -> Value {
    json!({
        "client_id": client_id,
        "client_name": "A client of the parity cases",
        "application_type": "web",
        "redirect_uris": [format!("{}/callback", ORIGIN)],
        "scope": "atproto transition:generic",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "dpop_bound_access_tokens": true,
    })
}

const ORIGIN: &str = "https://app.client.dev";
