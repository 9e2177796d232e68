//! What an authorization server has issued: sessions, found by their tokens and codes.

use std::collections::BTreeMap;
use std::time::Duration;

use atproto_sansio::UnixTime;

use crate::server::assertion::ClientAuth;

/// A session: what its tokens stand for.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) auth: ClientAuth,
    /// The thumbprint of the key that the tokens are bound to.
    pub(crate) jkt: String,
    pub(crate) did: String,
    pub(crate) scopes: Vec<String>,
    /// The server that the access token is for.
    pub(crate) audience: String,
    /// The browser that the session began in.
    pub(crate) device: String,
    pub(crate) created: UnixTime,
    pub(crate) updated: UnixTime,
    pub(crate) access_token: String,
    pub(crate) access_token_expires: UnixTime,
    pub(crate) refresh_token: Option<String>,
}

/// All sessions of a server.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    grants: BTreeMap<u64, Grant>,
    /// What leads to each session.
    names: BTreeMap<u64, Names>,
    next: u64,
    by_access_token: BTreeMap<String, u64>,
    /// Spent ones too: a second use of one ends the session.
    by_refresh_token: BTreeMap<String, u64>,
    by_code: BTreeMap<String, u64>,
}

/// Tokens and codes that a session has given out.
#[derive(Debug, Default)]
struct Names {
    code: String,
    refresh_tokens: Vec<String>,
}

/// How long sessions last: two weeks for a public client, whether it is used or not; for a
/// confidential one three months without use, two years in all.
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
    /// A new session, which began with `code`.
    pub(crate) fn add(&mut self, code: &str, grant: Grant) {
        let id = self.next;
        self.next += 1;
        if id % 256 == 255 {
            self.sweep(grant.created);
        }
        self.names.insert(id, Names { code: code.to_owned(), refresh_tokens: Vec::new() });
        self.index(id, &grant);
        self.by_code.insert(code.to_owned(), id);
        self.grants.insert(id, grant);
    }

    /// Replaces a session's tokens. The old access token is worthless at once.
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
            self.names.entry(id).or_default().refresh_tokens.push(token.clone());
        }
    }

    /// Drops the sessions that have run out by themselves.
    fn sweep(&mut self, now: UnixTime) {
        let over: Vec<u64> =
            self.grants.iter().filter(|(_, grant)| grant.is_over(now)).map(|(id, _)| *id).collect();
        for id in over {
            self.end(id);
        }
    }

    /// Ends a session. Nothing that it gave out is worth anything.
    pub(crate) fn end(&mut self, id: u64) -> Option<Grant> {
        let grant = self.grants.remove(&id)?;
        self.by_access_token.remove(&grant.access_token);
        if let Some(names) = self.names.remove(&id) {
            self.by_code.remove(&names.code);
            for token in &names.refresh_tokens {
                self.by_refresh_token.remove(token);
            }
        }
        Some(grant)
    }

    /// Ends all sessions of an account.
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

    /// The session of a refresh token, spent or not.
    pub(crate) fn of_refresh_token(&self, token: &str) -> Option<(u64, &Grant)> {
        self.get(*self.by_refresh_token.get(token)?)
    }

    /// The session that began with a code.
    pub(crate) fn of_code(&self, code: &str) -> Option<(u64, &Grant)> {
        self.get(*self.by_code.get(code)?)
    }

    /// How many sessions there are.
    /// The sessions that have not ended.
    pub(crate) fn alive(&self, now: UnixTime) -> impl Iterator<Item = &Grant> {
        self.grants.values().filter(move |grant| !grant.is_over(now))
    }

    fn get(&self, id: u64) -> Option<(u64, &Grant)> {
        self.grants.get(&id).map(|grant| (id, grant))
    }
}
