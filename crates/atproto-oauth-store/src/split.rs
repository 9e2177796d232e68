//! [`Split`]: pending logins in one store, sessions in another.

use atproto_sansio::{Deleted, Expect, Listing, Record, Saved, SecretBytes, StoreError, UnixTime};

use crate::key::foreign_position;
use crate::store::{AsyncStore, Store};

/// The prefix of the keys of pending logins.
const STATES: &str = "state/";

/// One store made of two: the first has the keys under `state/`, the second all others.
///
/// A pending login lives for some minutes and a session for months, so a program may keep the logins
/// in memory or in Redis and the sessions in a database. `Split` is a [`Store`] of two stores, and an
/// [`AsyncStore`] of two async stores.
///
/// ```
/// use atproto_oauth_store::{MemoryStore, Split};
///
/// let store = Split::new(MemoryStore::new(), MemoryStore::new());
/// ```
#[derive(Clone, Debug)]
pub struct Split<P, S> {
    states: P,
    sessions: S,
}

/// One of the two stores.
enum Side {
    States,
    Sessions,
}

/// The part of a listing that a page belongs to, with the position in that store. A listing of all
/// keys goes through both stores; its position has the store as first letter.
enum Part<'a> {
    /// A prefix of one store.
    One(Side, Option<&'a str>),
    /// The pending logins of a listing of all keys.
    AllStates(Option<&'a str>),
    /// The other records of a listing of all keys.
    AllSessions(Option<&'a str>),
}

impl<P, S> Split<P, S> {
    /// A store with pending logins in `states` and all other records in `sessions`.
    pub fn new(states: P, sessions: S) -> Self {
        Self { states, sessions }
    }

    /// The store of the pending logins.
    pub fn states(&self) -> &P {
        &self.states
    }

    /// The store of all other records.
    pub fn sessions(&self) -> &S {
        &self.sessions
    }
}

impl Side {
    fn of(key: &str) -> Self {
        if key.starts_with(STATES) { Self::States } else { Self::Sessions }
    }
}

impl<'a> Part<'a> {
    fn of(prefix: &str, after: Option<&'a str>) -> Result<Self, StoreError> {
        if !prefix.is_empty() {
            return Ok(Self::One(Side::of(prefix), after));
        }
        let Some(after) = after else {
            return Ok(Self::AllStates(None));
        };
        let position = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        if let Some(states) = after.strip_prefix('p') {
            Ok(Self::AllStates(position(states)))
        } else if let Some(sessions) = after.strip_prefix('s') {
            Ok(Self::AllSessions(position(sessions)))
        } else {
            Err(foreign_position())
        }
    }

    /// Turns the page of one store into a page of the whole.
    fn page(&self, mut page: Listing) -> Listing {
        match self {
            Self::One(..) => {}
            Self::AllStates(_) => {
                page.next =
                    Some(page.next.map_or_else(|| "s".to_owned(), |next| format!("p{next}")));
            }
            Self::AllSessions(_) => {
                // A key under `state/` in the second store is not reachable by the other operations.
                page.entries.retain(|entry| !entry.key.starts_with(STATES));
                page.next = page.next.map(|next| format!("s{next}"));
            }
        }
        page
    }
}

impl<P: Store, S: Store> Store for Split<P, S> {
    fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        match Side::of(key) {
            Side::States => self.states.load(key),
            Side::Sessions => self.sessions.load(key),
        }
    }

    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        match Side::of(key) {
            Side::States => self.states.save(key, value, expect, expires_at),
            Side::Sessions => self.sessions.save(key, value, expect, expires_at),
        }
    }

    fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        match Side::of(key) {
            Side::States => self.states.delete(key, expect),
            Side::Sessions => self.sessions.delete(key, expect),
        }
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        let part = Part::of(prefix, after)?;
        let page = match part {
            Part::One(Side::States, after) => self.states.list(prefix, after),
            Part::One(Side::Sessions, after) => self.sessions.list(prefix, after),
            Part::AllStates(after) => self.states.list(STATES, after),
            Part::AllSessions(after) => self.sessions.list("", after),
        };
        page.map(|page| part.page(page))
    }

    fn protects_at_rest(&self) -> bool {
        self.states.protects_at_rest() && self.sessions.protects_at_rest()
    }
}

impl<P: AsyncStore, S: AsyncStore> AsyncStore for Split<P, S> {
    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        match Side::of(key) {
            Side::States => self.states.load(key).await,
            Side::Sessions => self.sessions.load(key).await,
        }
    }

    async fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        match Side::of(key) {
            Side::States => self.states.save(key, value, expect, expires_at).await,
            Side::Sessions => self.sessions.save(key, value, expect, expires_at).await,
        }
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        match Side::of(key) {
            Side::States => self.states.delete(key, expect).await,
            Side::Sessions => self.sessions.delete(key, expect).await,
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        let part = Part::of(prefix, after)?;
        let page = match part {
            Part::One(Side::States, after) => self.states.list(prefix, after).await,
            Part::One(Side::Sessions, after) => self.sessions.list(prefix, after).await,
            Part::AllStates(after) => self.states.list(STATES, after).await,
            Part::AllSessions(after) => self.sessions.list("", after).await,
        };
        page.map(|page| part.page(page))
    }

    fn protects_at_rest(&self) -> bool {
        self.states.protects_at_rest() && self.sessions.protects_at_rest()
    }
}
