//! Lists stored sessions, of one account or of all, page by page.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_identity::Did;
use atproto_sansio::{
    Budget, Cx, Listing, Machine, Record, Step, Steps, StoreError, Ticket, UnixTime,
};

use crate::error::{Error, ReauthCause, SessionError};
use crate::session::Session;
use crate::sessions::key::SessionKey;
use crate::sessions::policy::Managed;
use crate::sessions::record::Loaded;

/// Lists one page of stored sessions.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct ListSessions {
    query: Query,
    steps: Steps<State>,
}

struct Query {
    managed: Managed,
    did: Option<Did>,
    after: Option<String>,
    idle_since: Option<UnixTime>,
    is_of_any_client: bool,
}

/// One page of stored sessions of this client, without those that are logged out.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SessionsPage {
    /// The sessions.
    pub sessions: Vec<StoredSession>,
    /// Position of the next page, for [`ListSessions::after`]; `None` after the last page.
    pub next: Option<String>,
}

/// A session in the store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredSession {
    /// Its key.
    pub key: SessionKey,
    /// The session as it is stored, or why its record can't be read. Its access token may have
    /// expired.
    pub session: Result<Arc<Session>, Error>,
    /// Why its user has to log in again.
    pub needs_reauth: Option<ReauthCause>,
}

enum State {
    Begin,
    Listing(Ticket<Listing>),
    Loading(Vec<Pending>, SessionsPage),
}

/// A record that is being loaded.
struct Pending {
    key: SessionKey,
    load: Ticket<Option<Record>>,
}

impl ListSessions {
    pub(crate) fn new(managed: Managed, did: Option<Did>) -> Self {
        let query = Query { managed, did, after: None, idle_since: None, is_of_any_client: false };
        Self { query, steps: Steps::begin(State::Begin) }
    }

    /// Continues at the [`SessionsPage::next`] of the page before.
    pub fn after(mut self, next: impl Into<String>) -> Self {
        self.query.after = Some(next.into());
        self
    }

    /// Lists only the sessions that have a refresh token, need no new login, and were not renewed
    /// since `time`: those that a keeper renews, so that they do not end unused.
    ///
    /// Authorization servers end the session of a public client after two weeks, and that of a
    /// confidential client after some months without a refresh (atproto OAuth, «Tokens and Session
    /// Lifetime»).
    pub fn idle_since(mut self, time: UnixTime) -> Self {
        self.query.idle_since = Some(time);
        self
    }

    /// Lists the sessions of other clients, too: those with another
    /// [`client_id`](Session::client_id). Only a client with that id can use them.
    pub fn of_any_client(mut self) -> Self {
        self.query.is_of_any_client = true;
        self
    }
}

impl Query {
    /// The session of a record, if it belongs on the page.
    fn stored(
        &self,
        key: SessionKey,
        record: Result<Option<Record>, StoreError>,
    ) -> Option<StoredSession> {
        let client_id = &self.managed.config.client_id;
        let record = match record {
            Ok(record) if self.is_of_any_client => Loaded::read_any(&record?, &key),
            Ok(record) => Loaded::read(&record?, &key, client_id),
            Err(error) => Err(error.into()),
        };
        let Loaded { record, .. } = match record {
            Ok(loaded) => loaded,
            Err(Error::Session(SessionError::OtherClient)) => return None,
            Err(_) if self.idle_since.is_some() => return None,
            Err(error) => {
                return Some(StoredSession { key, session: Err(error), needs_reauth: None });
            }
        };
        let is_due = self.idle_since.is_none_or(|time| {
            let session = &record.session;
            session.can_refresh() && record.needs_reauth.is_none() && session.updated_at() <= time
        });
        let (session, needs_reauth) = (Ok(Arc::new(record.session)), record.needs_reauth);
        (!record.closed && is_due).then_some(StoredSession { key, session, needs_reauth })
    }
}

impl Machine for ListSessions {
    type Output = SessionsPage;
    type Error = Error;

    fn budget(&self) -> Budget {
        Budget { store: 10_000, ..Budget::new(0, Duration::from_secs(60)) }
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<SessionsPage, Error>> {
        let Self { query, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Begin => {
                    let prefix = SessionKey::prefix(query.did.as_ref());
                    Step::Next(State::Listing(cx.list(prefix, query.after.take())))
                }
                State::Listing(listing) => match cx.take(&listing) {
                    Poll::Pending => Step::Wait(State::Listing(listing)),
                    Poll::Ready(page) => {
                        let Listing { entries, next } = page?;
                        let keys = entries.iter().rev();
                        let keys = keys.filter_map(|entry| SessionKey::of_record(&entry.key));
                        let load = |key: SessionKey| Pending { load: cx.load(key.record()), key };
                        let pending = keys.map(load).collect();
                        Step::Next(State::Loading(
                            pending,
                            SessionsPage { sessions: Vec::new(), next },
                        ))
                    }
                },
                State::Loading(mut pending, mut page) => match pending.pop() {
                    None => Step::Done(page),
                    Some(Pending { key, load }) => match cx.take(&load) {
                        Poll::Pending => {
                            pending.push(Pending { key, load });
                            Step::Wait(State::Loading(pending, page))
                        }
                        Poll::Ready(record) => {
                            page.sessions.extend(query.stored(key, record));
                            Step::Next(State::Loading(pending, page))
                        }
                    },
                },
            })
        })
    }
}

impl fmt::Debug for ListSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListSessions").field("did", &self.query.did).finish_non_exhaustive()
    }
}
