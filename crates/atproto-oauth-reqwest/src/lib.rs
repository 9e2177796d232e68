#![doc = include_str!("../README.md")]

mod builder;
mod client;
mod clients;
mod connect;
mod driver;
mod failure;
mod gates;
mod http_call;
mod notices;
mod outgoing;
mod outstanding;
mod resolve;
mod shared;
mod sign;
mod streamed;
mod streams;
#[cfg(feature = "hickory")]
mod txt;
#[cfg(not(feature = "hickory"))]
#[path = "no_txt.rs"]
mod txt;

/// The futures of this crate must be polled within a tokio runtime of this version.
#[doc(no_inline)]
pub use tokio;

#[doc(inline)]
pub use atproto_oauth_core::exports::*;
pub use builder::{BadCertificate, DriverBuilder};
pub use client::OAuthClient;
pub use driver::Driver;
pub use streamed::StreamedBody;
pub use streams::AttachedBody;
