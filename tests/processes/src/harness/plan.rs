//! The size of a test: processes, sessions and times.

use std::path::PathBuf;
use std::time::Duration;

use crate::place::Place;

/// Settings of one run.
#[derive(Clone)]
pub struct Plan {
    /// Path of the worker program.
    pub program: PathBuf,
    /// The store that the processes share.
    pub place: Place,
    /// Whether the values in the store are sealed.
    pub is_sealed: bool,
    /// Processes at the same time.
    pub workers: usize,
    /// Sessions of each account.
    pub sessions: usize,
    /// Longest pause of a thread between two requests.
    pub pause: Duration,
    /// Time for which the workers run.
    pub time: Duration,
    /// Time between two kills; `None` for no kills.
    pub kill_every: Option<Duration>,
}
