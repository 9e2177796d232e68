//! Tests of resolution against a scripted network.

#![expect(clippy::unwrap_used, reason = "an `unwrap` in a test helper fails the test")]

mod documents;
mod identities;
mod memory;
mod net;
mod over_https;
mod properties;
mod race;
mod redirects;
mod refusals;
