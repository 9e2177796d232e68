//! The driver against small servers on this machine.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod adapter;
mod http;
mod proxy;
mod reach;
mod shared;
mod streams;
mod tls;
mod txt;
