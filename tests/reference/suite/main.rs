//! Tests of complete logins, requests and refreshes against the reference servers, which also check
//! the request log of the servers. `tests/reference/run` starts the network and runs these tests.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed test panics with its location"
)]

mod command;
mod documents;
mod heavy;
mod network;
mod other_clients;
mod parity;
mod processes;
mod stage;

/// All flows with the blocking adapter (ureq).
mod ureq {
    atproto_oauth_tests::flows!(crate::stage::Reference::blocking());
}

/// All flows with the async adapter (reqwest).
mod reqwest {
    atproto_oauth_tests::flows!(crate::stage::Reference::asynchronous());
}
