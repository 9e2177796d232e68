//! The figures of a run.

use std::fmt;

/// The figures of a run that kept all rules.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Kind of the store.
    pub store: String,
    /// Sessions at the begin.
    pub sessions: usize,
    /// Requests that were answered.
    pub requests: usize,
    /// Refresh tokens that were exchanged for new ones.
    pub refreshes: usize,
    /// Processes that were killed.
    pub kills: usize,
    /// Leases that killed processes have left behind.
    pub held: usize,
    /// Refresh tokens whose holder was killed after it spent the token, and before it saved the new one.
    pub between: usize,
    /// Sessions that have ended, each with the cause `RotationResponseLost` and such a holder.
    pub lost: usize,
    /// Failures of a kind that a program has to expect.
    pub transient: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, sessions, requests, refreshes, kills, held, between, lost, transient } =
            self;
        write!(
            f,
            "{store}: {sessions} sessions, {requests} requests, {refreshes} refreshes, {kills} kills, \
             {held} leases of killed processes, {between} of them killed between spending and saving, \
             {lost} sessions lost with their cause, {transient} transient failures"
        )
    }
}
