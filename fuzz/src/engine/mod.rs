//! The engine and its public machines, in a network that is the sandbox with faults.
//!
//! The first three bytes of an input choose the procedure, the client with the habits of its server, and
//! the subject. After that, two bytes decide how each call is answered: the first chooses one of the outstanding calls, the second the
//! answer (`faults.rs`), which may read further bytes. Zeros are an honest network that answers in order.
//!
//! Checked for every procedure (`world.rs`, `ledger.rs`): no panic, bounded calls, and no secret in a
//! request to another origin than its own. `procedures.rs` checks the outcome of each of them.

mod faults;
mod keys;
mod ledger;
mod procedures;
mod reader;
mod world;

use reader::Reader;
use world::World;

/// Reads the input as above. Returns whether the procedure succeeded.
pub(crate) fn engine(data: &[u8]) -> bool {
    let mut input = Reader(data);
    let procedure = input.below(procedures::ALL.len());
    let mut world = World::new(input.byte(), input.byte());
    procedures::ALL[procedure](&mut world, &mut input).is_some()
}
