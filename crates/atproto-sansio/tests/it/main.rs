//! Tests of the guarantees of the engine to drivers and machines, one module for each group.

mod addresses;
mod answers;
mod budgets;
mod ends;
mod joins;
mod limits;
#[cfg(feature = "dns")]
mod lookups;
#[cfg(feature = "std")]
mod memory;
mod orders;
mod races;
mod random;
mod reach;
mod secrets;
mod shared;
mod silence;
mod support;
mod threads;
mod turns;
mod withdrawal;
