//! The driver against small servers on this machine.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod adapter;
mod concurrent;
mod http;
mod settings;
mod shared;
mod shutdown;
mod stalling;
mod streams;
mod txt;
