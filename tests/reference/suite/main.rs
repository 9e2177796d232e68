//! Whole procedures against the reference server, and what was on the wire in the server's own
//! words. `tests/reference/run` starts the network and then this.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails says where"
)]

mod command;
mod heavy;
mod network;
mod parity;
mod stage;

/// Every flow, over the blocking adapter.
mod ureq {
    atproto_oauth_tests::flows!(crate::stage::Reference::blocking());
}

/// Every flow, over the async adapter.
mod reqwest {
    atproto_oauth_tests::flows!(crate::stage::Reference::asynchronous());
}
