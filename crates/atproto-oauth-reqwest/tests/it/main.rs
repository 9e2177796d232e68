//! Tests of the driver against servers on loopback ports.
#![expect(clippy::unwrap_used, reason = "a test helper fails its test by a panic")]

mod adapter;
mod concurrent;
mod http;
mod settings;
mod shared;
mod shutdown;
mod signing;
mod stalling;
mod streams;
mod txt;
