//! Marks the sessions of a store that was restored from a backup.

use std::collections::VecDeque;
use std::fmt;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{
    Budget, Cx, Expect, Listed, Listing, Machine, Record, Saved, Step, Steps, Ticket,
};

use crate::error::Error;
use crate::sessions::key::{SESSIONS, SessionKey};
use crate::sessions::policy::Managed;
use crate::sessions::record::{Loaded, SessionRecord};

/// Marks every session of the store as restored from a backup.
///
/// The refresh token of a restored session may be spent since the backup. If the server then says so,
/// the session ends with the cause
/// [`RestoredFromBackup`](crate::DeletedCause::RestoredFromBackup). A session whose token was not
/// spent goes on.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct MarkRestored {
    managed: Managed,
    marked: u64,
    steps: Steps<State>,
}

enum State {
    List(Option<String>),
    Listing(Ticket<Listing>),
    Entries(VecDeque<Listed>, Option<String>),
    Load(SessionKey, Rest),
    Loading(SessionKey, Ticket<Option<Record>>, Rest),
    Saving(SessionKey, Ticket<Saved>, Rest),
}

/// The entries that are left of a page, and the next page.
type Rest = Box<(VecDeque<Listed>, Option<String>)>;

impl MarkRestored {
    pub(crate) fn new(managed: Managed) -> Self {
        Self { managed, marked: 0, steps: Steps::begin(State::List(None)) }
    }
}

impl Machine for MarkRestored {
    /// Number of sessions that were marked.
    type Output = u64;
    type Error = Error;

    fn budget(&self) -> Budget {
        let time = Duration::from_secs(60 * 60);
        Budget { http: 0, time, calls: 0, store: 10_000_000 }
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<u64, Error>> {
        let Self { managed, marked, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::List(after) => {
                    Step::Next(State::Listing(cx.list(SESSIONS.to_owned(), after)))
                }
                State::Listing(listing) => match cx.take(&listing) {
                    Poll::Pending => Step::Wait(State::Listing(listing)),
                    Poll::Ready(page) => {
                        let Listing { entries, next } = page?;
                        Step::Next(State::Entries(entries.into(), next))
                    }
                },
                State::Entries(mut entries, next) => match (entries.pop_front(), next) {
                    (Some(entry), next) => match SessionKey::of_record(&entry.key) {
                        Some(key) => Step::Next(State::Load(key, Box::new((entries, next)))),
                        None => Step::Next(State::Entries(entries, next)),
                    },
                    (None, Some(next)) => Step::Next(State::List(Some(next))),
                    (None, None) => Step::Done(*marked),
                },
                State::Load(key, rest) => {
                    let load = cx.load(key.record());
                    Step::Next(State::Loading(key, load, rest))
                }
                State::Loading(key, load, rest) => match cx.take(&load) {
                    Poll::Pending => Step::Wait(State::Loading(key, load, rest)),
                    Poll::Ready(record) => {
                        let client_id = &managed.config.client_id;
                        let loaded = record?.map(|record| Loaded::read(&record, &key, client_id));
                        match loaded {
                            Some(Ok(Loaded { record, version })) if !record.closed => {
                                let record = SessionRecord { restored: true, ..record };
                                let (at, expect) = (key.record(), Expect::Version(version));
                                let save = cx.save(at, record.to_value()?, expect, None);
                                Step::Next(State::Saving(key, save, rest))
                            }
                            // A record of another client, or one that can't be read, stays as it is.
                            Some(_) | None => Step::Next(State::Entries(rest.0, rest.1)),
                        }
                    }
                },
                State::Saving(key, save, rest) => match cx.take(&save) {
                    Poll::Pending => Step::Wait(State::Saving(key, save, rest)),
                    Poll::Ready(saved) => match saved? {
                        Saved::As(_) => {
                            *marked += 1;
                            Step::Next(State::Entries(rest.0, rest.1))
                        }
                        Saved::Conflict => Step::Next(State::Load(key, rest)),
                    },
                },
            })
        })
    }
}

impl fmt::Debug for MarkRestored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MarkRestored").field("marked", &self.marked).finish_non_exhaustive()
    }
}
