#![doc = include_str!("../README.md")]

mod agents;
mod builder;
mod client;
mod connect;
mod driver;
mod events;
mod failure;
mod gates;
mod http_call;
mod notices;
mod outstanding;
mod resolve;
mod session;
mod shared;
mod sign;
mod socket;
mod stateless;
mod stores;
mod streams;
mod txt;
mod witness;
mod workers;

#[cfg(feature = "aws-lc-rs")]
pub use atproto_keys::AwsLcKeys;
pub use atproto_keys::RingKeys;
#[doc(inline)]
pub use atproto_oauth_core::exports::*;
/// Stores for sessions.
#[doc(no_inline)]
pub use atproto_oauth_store as store;
pub use builder::{BadCertificate, DriverBuilder};
pub use client::{CompletedLogin, OAuthClient, OAuthClientBuilder};
pub use driver::Driver;
pub use session::ManagedSession;
pub use stateless::StatelessClient;
pub use streams::AttachedBody;
