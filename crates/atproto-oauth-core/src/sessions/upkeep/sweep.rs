//! Sweeps a store: removes expired records, and finishes logouts that a crash has interrupted.

use std::collections::VecDeque;
use std::fmt;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{
    Budget, Cx, Deleted, Expect, Listed, Listing, Machine, SharedTicket, Step, Steps, Ticket,
};

use crate::error::Error;
use crate::sessions::error::SessionsError;
use crate::sessions::key::{LOGINS, SESSIONS, SessionKey};
use crate::sessions::log_out::{CLOSED, LogOutRun, LoggedOut};
use crate::sessions::policy::Managed;

/// Removes the expired records of a store, and finishes interrupted logouts.
///
/// Pending logins expire after ten minutes. A program sweeps its store from time to time, for example
/// once in an hour.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct Sweep {
    managed: Managed,
    swept: Swept,
    steps: Steps<State>,
}

/// Result of a [`Sweep`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Swept {
    /// Number of expired pending logins that were removed.
    pub logins: u64,
    /// Number of interrupted logouts that were finished.
    pub logouts: u64,
}

/// The part of the store that is swept now.
#[derive(Clone, Copy, Debug)]
enum Part {
    Logins,
    Sessions,
}

enum State {
    List(Part, Option<String>),
    Listing(Part, Ticket<Listing>),
    Entries {
        part: Part,
        entries: VecDeque<Listed>,
        next: Option<String>,
    },
    Deleting {
        entries: VecDeque<Listed>,
        next: Option<String>,
        delete: Ticket<Deleted>,
    },
    LoggingOut {
        entries: VecDeque<Listed>,
        next: Option<String>,
        run: SharedTicket<Result<LoggedOut, SessionsError>>,
    },
}

/// Age after which a logout counts as interrupted.
const INTERRUPTED: Duration = Duration::from_secs(5 * 60);

impl Sweep {
    pub(crate) fn new(managed: Managed) -> Self {
        let steps = Steps::begin(State::List(Part::Logins, None));
        Self { managed, swept: Swept::default(), steps }
    }
}

impl Machine for Sweep {
    type Output = Swept;
    type Error = Error;

    fn budget(&self) -> Budget {
        let time = Duration::from_secs(60 * 60);
        Budget { http: 0, time, calls: 100_000, store: 1_000_000 }
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Swept, Error>> {
        let Self { managed, swept, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::List(part, after) => {
                    let listing = cx.list(part.prefix().to_owned(), after);
                    Step::Next(State::Listing(part, listing))
                }
                State::Listing(part, listing) => match cx.take(&listing) {
                    Poll::Pending => Step::Wait(State::Listing(part, listing)),
                    Poll::Ready(page) => {
                        let Listing { entries, next } = page?;
                        Step::Next(State::Entries { part, entries: entries.into(), next })
                    }
                },
                State::Entries { part, mut entries, next } => match (entries.pop_front(), part) {
                    (None, part) => match (next, part) {
                        (Some(next), part) => Step::Next(State::List(part, Some(next))),
                        (None, Part::Logins) => Step::Next(State::List(Part::Sessions, None)),
                        (None, Part::Sessions) => Step::Done(*swept),
                    },
                    (Some(entry), Part::Logins) if is_expired(&entry, cx) => {
                        let delete = cx.delete(entry.key, Expect::Version(entry.version));
                        Step::Next(State::Deleting { entries, next, delete })
                    }
                    (Some(entry), Part::Sessions) if is_interrupted(&entry, cx) => {
                        match SessionKey::of_record(&entry.key) {
                            Some(key) => {
                                let name = LogOutRun::name(managed, &key);
                                let run = cx.shared(name, LogOutRun::new(managed.clone(), key));
                                Step::Next(State::LoggingOut { entries, next, run })
                            }
                            None => Step::Next(State::Entries { part, entries, next }),
                        }
                    }
                    (Some(_), part) => Step::Next(State::Entries { part, entries, next }),
                },
                State::Deleting { entries, next, delete } => match cx.take(&delete) {
                    Poll::Pending => Step::Wait(State::Deleting { entries, next, delete }),
                    Poll::Ready(deleted) => {
                        swept.logins += u64::from(deleted? == Deleted::Yes);
                        Step::Next(State::Entries { part: Part::Logins, entries, next })
                    }
                },
                State::LoggingOut { entries, next, run } => match cx.take_shared(&run) {
                    Poll::Pending => Step::Wait(State::LoggingOut { entries, next, run }),
                    Poll::Ready(done) => {
                        swept.logouts += u64::from(matches!(done, Ok(Ok(_))));
                        Step::Next(State::Entries { part: Part::Sessions, entries, next })
                    }
                },
            })
        })
    }
}

impl Part {
    fn prefix(self) -> &'static str {
        match self {
            Self::Logins => LOGINS,
            Self::Sessions => SESSIONS,
        }
    }
}

fn is_expired(entry: &Listed, cx: &Cx<'_>) -> bool {
    entry.expires_at.is_some_and(|at| at < cx.now())
}

/// Only a closed record has an expiry, which is a day after its closing.
fn is_interrupted(entry: &Listed, cx: &Cx<'_>) -> bool {
    entry.expires_at.is_some_and(|at| at < cx.now() + CLOSED - INTERRUPTED)
}

impl fmt::Debug for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep").field("swept", &self.swept).finish_non_exhaustive()
    }
}
