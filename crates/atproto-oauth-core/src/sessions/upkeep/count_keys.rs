//! Counts the stored sessions of each key of a confidential client, to tell when a key may be removed.

use std::collections::BTreeMap;
use std::fmt;
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{Budget, Cx, Machine};

use crate::client::auth::AuthMethod;
use crate::error::Error;
use crate::sessions::policy::Managed;
use crate::sessions::upkeep::list::{ListSessions, StoredSession};

/// Counts the stored sessions of this client by the key that each was begun with.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct CountKeys {
    managed: Managed,
    count: KeyCount,
    list: ListSessions,
}

/// Result of [`CountKeys`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyCount {
    /// Number of sessions of each key, by its `kid`.
    pub by_kid: BTreeMap<String, u64>,
    /// Number of sessions that were begun without a key.
    pub public: u64,
    /// Number of records that can't be read.
    pub unreadable: u64,
}

impl KeyCount {
    /// Number of sessions that were begun with the key of this `kid`. If it is zero, and no record is
    /// [`unreadable`](Self::unreadable), the key may be removed.
    pub fn of(&self, kid: &str) -> u64 {
        self.by_kid.get(kid).copied().unwrap_or_default()
    }

    fn add(&mut self, stored: &StoredSession) {
        match stored.session.as_ref().map(|session| session.auth_method()) {
            Ok(AuthMethod::PrivateKeyJwt { kid, .. }) => {
                *self.by_kid.entry(kid.clone()).or_default() += 1;
            }
            Ok(AuthMethod::None) => self.public += 1,
            Err(_) => self.unreadable += 1,
        }
    }
}

impl CountKeys {
    pub(crate) fn new(managed: Managed) -> Self {
        let list = ListSessions::new(managed.clone(), None);
        Self { managed, count: KeyCount::default(), list }
    }
}

impl Machine for CountKeys {
    type Output = KeyCount;
    type Error = Error;

    fn budget(&self) -> Budget {
        Budget { store: 10_000_000, ..Budget::new(0, Duration::from_secs(60 * 60)) }
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<KeyCount, Error>> {
        loop {
            let page = ready!(self.list.poll(cx))?;
            page.sessions.iter().for_each(|stored| self.count.add(stored));
            match page.next {
                Some(next) => self.list = ListSessions::new(self.managed.clone(), None).after(next),
                None => return Poll::Ready(Ok(std::mem::take(&mut self.count))),
            }
        }
    }
}

impl fmt::Debug for CountKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountKeys").field("count", &self.count).finish_non_exhaustive()
    }
}
