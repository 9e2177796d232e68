//! Resolution against a scripted network.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod documents;
mod identities;
mod memory;
mod net;
mod over_https;
mod properties;
mod race;
mod redirects;
mod refusals;
