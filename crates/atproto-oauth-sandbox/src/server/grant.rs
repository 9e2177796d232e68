//! The sessions of an authorization server, indexed by their codes, access tokens and refresh
//! tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use atproto_sansio::UnixTime;

use crate::server::assertion::ClientAuth;

/// A session: the client, account and scopes that its tokens stand for, and its current tokens.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) auth: ClientAuth,
    /// JWK thumbprint (RFC 7638) of the DPoP key that the tokens are bound to.
    pub(crate) jkt: String,
    pub(crate) did: String,
    pub(crate) scopes: Vec<String>,
    /// DID of the server that the access token is valid at.
    pub(crate) audience: String,
    /// Device id of the browser in which the user consented.
    pub(crate) device: String,
    pub(crate) created: UnixTime,
    pub(crate) updated: UnixTime,
    pub(crate) access_token: String,
    pub(crate) access_token_expires: UnixTime,
    pub(crate) refresh_token: Option<String>,
}

/// All sessions of one authorization server, by session id.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    grants: BTreeMap<u64, Grant>,
    /// The code and the refresh tokens that each session was issued. When a session ends, `end`
    /// removes them from the maps below.
    issued: BTreeMap<u64, Issued>,
    next: u64,
    by_access_token: BTreeMap<String, u64>,
    /// Includes spent refresh tokens, because the second use of a refresh token ends its session.
    by_refresh_token: BTreeMap<String, u64>,
    by_code: BTreeMap<String, u64>,
}

/// Code that a session began with, and all refresh tokens that it has issued.
#[derive(Debug, Default)]
struct Issued {
    code: String,
    refresh_tokens: Vec<String>,
}

/// Returns the maximum time between refreshes and the maximum lifetime of a session: 91 and 730
/// days for a confidential client; 14 days each for a public client.
pub(crate) fn lifetimes(is_confidential: bool) -> (Duration, Duration) {
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    if is_confidential { (days(91), days(730)) } else { (days(14), days(14)) }
}

impl Grant {
    fn is_over(&self, now: UnixTime) -> bool {
        let (idle, whole) = lifetimes(self.auth != ClientAuth::None);
        now.since(self.updated) > idle || now.since(self.created) > whole
    }
}

impl Grants {
    /// Adds a session that began with the exchange of `code`.
    pub(crate) fn add(&mut self, code: &str, grant: Grant) {
        let id = self.next;
        self.next += 1;
        if id % 256 == 255 {
            self.sweep(grant.created);
        }
        self.issued.insert(id, Issued { code: code.to_owned(), refresh_tokens: Vec::new() });
        self.index(id, &grant);
        self.by_code.insert(code.to_owned(), id);
        self.grants.insert(id, grant);
    }

    /// Replaces a session and its tokens. The old access token is invalid at once. The old refresh
    /// token stays indexed, so that its reuse is detected.
    pub(crate) fn rotate(&mut self, id: u64, grant: Grant) {
        self.index(id, &grant);
        if let Some(old) = self.grants.insert(id, grant) {
            self.by_access_token.remove(&old.access_token);
        }
    }

    fn index(&mut self, id: u64, grant: &Grant) {
        self.by_access_token.insert(grant.access_token.clone(), id);
        if let Some(token) = &grant.refresh_token {
            self.by_refresh_token.insert(token.clone(), id);
            self.issued.entry(id).or_default().refresh_tokens.push(token.clone());
        }
    }

    /// Ends the sessions that have expired.
    fn sweep(&mut self, now: UnixTime) {
        let over: Vec<u64> =
            self.grants.iter().filter(|(_, grant)| grant.is_over(now)).map(|(id, _)| *id).collect();
        for id in over {
            self.end(id);
        }
    }

    /// Ends a session: its code and all its tokens are unknown from then on.
    pub(crate) fn end(&mut self, id: u64) -> Option<Grant> {
        let grant = self.grants.remove(&id)?;
        self.by_access_token.remove(&grant.access_token);
        if let Some(issued) = self.issued.remove(&id) {
            self.by_code.remove(&issued.code);
            for token in &issued.refresh_tokens {
                self.by_refresh_token.remove(token);
            }
        }
        Some(grant)
    }

    /// Ends all sessions of the account `did`.
    pub(crate) fn end_all(&mut self, did: &str) {
        let of_account = self.grants.iter().filter(|(_, grant)| grant.did == did);
        let ids: Vec<u64> = of_account.map(|(id, _)| *id).collect();
        for id in ids {
            self.end(id);
        }
    }

    pub(crate) fn of_access_token(&self, token: &str) -> Option<(u64, &Grant)> {
        self.get(*self.by_access_token.get(token)?)
    }

    /// Returns the session of a refresh token, whether the token is current or spent.
    pub(crate) fn of_refresh_token(&self, token: &str) -> Option<(u64, &Grant)> {
        self.get(*self.by_refresh_token.get(token)?)
    }

    /// Returns the session that began with a code.
    pub(crate) fn of_code(&self, code: &str) -> Option<(u64, &Grant)> {
        self.get(*self.by_code.get(code)?)
    }

    /// Iterates over the sessions that have not expired.
    pub(crate) fn alive(&self, now: UnixTime) -> impl Iterator<Item = &Grant> {
        self.grants.values().filter(move |grant| !grant.is_over(now))
    }

    fn get(&self, id: u64) -> Option<(u64, &Grant)> {
        self.grants.get(&id).map(|grant| (id, grant))
    }
}
