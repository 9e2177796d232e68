//! The driver against small servers on this machine.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod adapter;
mod http;
mod settings;
mod shared;
mod streams;
mod txt;
