//! The sum of all lines that the processes have written.

use std::collections::BTreeMap;

use crate::line::{Fact, Line};

/// The sum of all lines.
#[derive(Default)]
pub(super) struct Told {
    /// Answered requests.
    pub(super) answered: usize,
    /// Session and cause of each end.
    pub(super) ends: Vec<(String, String)>,
    /// Session and text of each failure, and of each event that is no refresh and no end.
    pub(super) failures: Vec<(String, String)>,
    /// The latest lease that each worker has asked for, by worker and session.
    leases: BTreeMap<(usize, String), Asked>,
}

/// A lease that a worker has asked the store for.
struct Asked {
    id: String,
    /// Whether the store has confirmed a later record, without the lease.
    is_over: bool,
}

impl Told {
    pub(super) fn add(&mut self, worker: usize, line: Line) {
        let Line { session, fact } = line;
        match fact {
            Fact::Leasing(id) => {
                self.leases.insert((worker, session), Asked { id, is_over: false });
            }
            Fact::Saved => {
                let lease = self.leases.get_mut(&(worker, session));
                lease.into_iter().for_each(|lease| lease.is_over = true);
            }
            Fact::Answered => self.answered += 1,
            Fact::Ended(cause) => self.ends.push((session, cause)),
            Fact::Event(text) | Fact::Failed(text) => self.failures.push((session, text)),
            Fact::Leased | Fact::Saving | Fact::NotSaved(_) | Fact::Refreshed => {}
        }
    }

    /// The leases that `worker` has asked for: session, id, and whether the store has confirmed a later
    /// record, without the lease.
    pub(super) fn leases_of(&self, worker: usize) -> impl Iterator<Item = (&str, &str, bool)> {
        let of_worker = self.leases.iter().filter(move |((asker, _), _)| *asker == worker);
        of_worker.map(|((_, session), lease)| (session.as_str(), lease.id.as_str(), lease.is_over))
    }
}
