//! Snapshots of the command: whole runs of every verb, whose exit code and output are compared with a file in
//! `tests/snapshots`, as text and as JSON. Every output is searched for secrets.
#![cfg(target_os = "linux")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed test panics"
)]

mod asked;
mod calls;
mod clients;
mod help;
mod logins;
mod masks;
mod moved;
mod network;
mod offline;
mod secrets;
mod servers;
mod sessions;
mod snapshot;
mod two_phase;

use crate::snapshot::Snapshot;

/// Runs a verb once for people and once for programs.
fn both(snapshot: &mut Snapshot, arguments: &[&str]) {
    snapshot.run(arguments);
    snapshot.run(&[arguments, &["--json"]].concat());
}
