//! Managed sessions in real processes: workers share one store, and some are killed with SIGKILL.
//!
//! [`run`] logs sessions in, starts workers that use them, kills workers for a while and starts others in
//! their place. Then it checks that no session is lost, except those whose holder was killed between
//! spending the refresh token and saving the new one.
//!
//! A worker tells what it does as lines on its standard output. A line that was written is read even if
//! the worker is killed a moment later, so the lines are a journal of the saves, too.

#![allow(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "no published crate depends on it"
)]

mod harness;
mod journal;
mod line;
mod network;
mod place;
mod record;
mod sandboxed;
mod task;
mod worker;

use std::error::Error;

pub use harness::plan::Plan;
pub use harness::run;
pub use harness::summary::Summary;
pub use network::{Account, Address, Answer, Network, Spend, hash};
pub use place::Place;
pub use sandboxed::Sandboxed;
pub use worker::work;

/// Result of everything here: a failure ends the test, and says why.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;
