//! Accounts, and the documents that say what they are (DID specification; AT Protocol "DIDs").

use serde_json::{Value, json};

use crate::accounts::repository::Repository;
use crate::sandbox::Sandbox;
use crate::server::ServerId;

/// What there is to know about an account.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AccountInfo {
    /// Its handle.
    pub handle: String,
    /// Its DID.
    pub did: String,
    /// What it signs in with; no secret in a sandbox.
    pub password: String,
    /// The origin of the server that hosts it.
    pub server: String,
    /// The origin of who issues tokens for it.
    pub issuer: String,
}

/// One account, on the server that hosts it now.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) did: String,
    pub(crate) handle: String,
    pub(crate) password: String,
    pub(crate) server: ServerId,
    /// Where it has lived before, and is deactivated now.
    pub(crate) left: Vec<ServerId>,
    pub(crate) repository: Repository,
    /// The point of its signing key, in multibase; nobody here verifies commits.
    pub(crate) signing_key: String,
}

impl Sandbox {
    /// Its accounts, in the order in which they came.
    pub fn accounts(&self) -> Vec<AccountInfo> {
        let info = |account: &Account| {
            let server = self.server(account.server);
            AccountInfo {
                handle: account.handle.clone(),
                did: account.did.clone(),
                password: account.password.clone(),
                server: server.origin.clone(),
                issuer: self.server(server.issuer).origin.clone(),
            }
        };
        self.accounts.iter().map(info).collect()
    }
}

impl Account {
    /// Whether a sign-in may name it so.
    pub(crate) fn is_called(&self, identifier: &str) -> bool {
        self.did == identifier || self.handle.eq_ignore_ascii_case(identifier)
    }

    /// Its DID document, if it is hosted at `endpoint`.
    pub(crate) fn document(&self, endpoint: &str) -> Value {
        json!({
            "@context": [
                "https://www.w3.org/ns/did/v1",
                "https://w3id.org/security/multikey/v1",
            ],
            "id": self.did,
            "alsoKnownAs": [format!("at://{}", self.handle)],
            "verificationMethod": [{
                "id": format!("{}#atproto", self.did),
                "type": "Multikey",
                "controller": self.did,
                "publicKeyMultibase": self.signing_key,
            }],
            "service": [{
                "id": "#atproto_pds",
                "type": "AtprotoPersonalDataServer",
                "serviceEndpoint": endpoint,
            }],
        })
    }
}
