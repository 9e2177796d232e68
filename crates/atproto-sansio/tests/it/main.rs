//! What the engine guarantees to drivers and to machines, one module for each group of promises.

mod answers;
mod budgets;
mod ends;
mod joins;
mod limits;
#[cfg(feature = "std")]
mod memory;
mod orders;
mod races;
mod random;
mod reach;
mod secrets;
mod support;
mod threads;
mod withdrawal;
