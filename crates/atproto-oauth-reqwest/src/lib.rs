#![doc = include_str!("../README.md")]

mod builder;
mod client;
mod clients;
mod connect;
mod driver;
mod events;
mod failure;
mod gates;
mod http_call;
mod notices;
mod outgoing;
mod outstanding;
mod resolve;
mod session;
mod shared;
mod sign;
mod stateless;
mod stores;
mod streamed;
mod streams;
#[cfg(feature = "dns")]
mod txt;
#[cfg(not(feature = "dns"))]
#[path = "no_txt.rs"]
mod txt;

/// The futures of this crate must be polled within a tokio runtime of this version.
#[doc(no_inline)]
pub use tokio;

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
pub use streamed::StreamedBody;
pub use streams::AttachedBody;
