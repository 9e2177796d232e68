//! The lines that a worker writes, one JSON document each.

use std::io::Write;

use serde::{Deserialize, Serialize};

/// One thing that a worker does, or that happens to it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Line {
    /// Key of the session.
    pub(crate) session: String,
    pub(crate) fact: Fact,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Fact {
    /// A record with this lease is about to be saved.
    Leasing(String),
    /// The store has confirmed the record with the lease.
    Leased,
    /// A record without a lease is about to be saved.
    Saving,
    /// The store has confirmed the record without a lease.
    Saved,
    /// The record was not saved: a conflict, or an error.
    NotSaved(String),
    /// The session has new tokens.
    Refreshed,
    /// The session has ended, with this cause.
    Ended(String),
    /// Another event of the session.
    Event(String),
    /// A request got its answer.
    Answered,
    /// A session was not usable, or a request failed.
    Failed(String),
}

/// Writes a line at once, so that a kill loses none that was written. If nobody reads, the worker is
/// about to be stopped.
pub(crate) fn say(session: &str, fact: Fact) {
    let line = Line { session: session.to_owned(), fact };
    if let Ok(mut text) = serde_json::to_string(&line) {
        text.push('\n');
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
