//! Whole procedures against the reference server, and what was on the wire in the server's own
//! words. `tests/reference/run` starts the network and then this.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails says where"
)]

mod adapters;
mod command;
mod denied;
mod large;
mod login;
mod many;
mod matrix;
mod modes;
mod network;
mod nonces;
mod parity;
mod resolving;
mod round_trips;
mod somebody_else;
mod wire;
