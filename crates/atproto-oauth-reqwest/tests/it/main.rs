//! The driver against small servers on this machine.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod adapter;
mod concurrent;
mod dns;
mod http;
mod proxy;
mod reach;
mod server;
mod shared;
mod shutdown;
mod streams;
mod suite;
mod tls;
mod txt;
