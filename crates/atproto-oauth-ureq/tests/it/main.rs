//! Tests of the driver against servers on loopback ports.
#![expect(clippy::unwrap_used, reason = "a test helper fails its test by a panic")]

mod adapter;
mod http;
mod lookups;
mod settings;
mod shared;
mod signing;
mod streams;
mod txt;
