//! Accounts and their DID documents (DID specification; AT Protocol "DIDs").

use serde_json::{Value, json};

use crate::accounts::repository::Repository;
use crate::sandbox::Sandbox;
use crate::server::ServerId;

/// Handle, DID, password, PDS and issuer of one account.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AccountInfo {
    /// Handle of the account, like `alice.example.com`.
    pub handle: String,
    /// DID of the account: a `did:plc` or a `did:web`.
    pub did: String,
    /// Password for the sign-in page. It is not secret.
    pub password: String,
    /// Origin of the PDS that hosts the account.
    pub server: String,
    /// Origin of the authorization server that issues tokens for the account.
    pub issuer: String,
}

/// One account, with the PDS that hosts it now.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) did: String,
    pub(crate) handle: String,
    pub(crate) password: String,
    pub(crate) server: ServerId,
    /// Servers that hosted the account before; the account is deactivated there.
    pub(crate) left: Vec<ServerId>,
    pub(crate) repository: Repository,
    /// Public signing key as a Multikey. The private key is not kept, because the sandbox signs no
    /// commits.
    pub(crate) signing_key: String,
}

impl Sandbox {
    /// Lists the accounts, in the order in which they were added.
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
    /// Whether `identifier` is the DID or the handle of the account. Handles are compared without
    /// regard to letter case.
    pub(crate) fn is_called(&self, identifier: &str) -> bool {
        self.did == identifier || self.handle.eq_ignore_ascii_case(identifier)
    }

    /// Returns the DID document, with `endpoint` as the origin of the PDS.
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
