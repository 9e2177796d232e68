#![doc = include_str!("../README.md")]

mod agents;
mod builder;
mod client;
mod connect;
mod driver;
mod failure;
mod http_call;
mod nameservers;
mod notices;
mod outstanding;
mod resolve;
mod shared;
mod sign;
mod socket;
mod streams;
mod txt;
mod witness;

#[doc(inline)]
pub use atproto_oauth_core::exports::*;
pub use builder::{BadCertificate, DriverBuilder};
pub use client::OAuthClient;
pub use driver::Driver;
pub use streams::AttachedBody;
