#![doc = include_str!("../README.md")]

mod call;
mod cx;
mod driver;
mod endpoint;
mod env;
mod error;
mod flow;
mod join;
mod machine;
mod mailbox;
mod reach;
mod secret;
mod store;
#[cfg(feature = "std")]
mod system;
mod text;
mod time;

pub use call::{
    Answer, Body, Call, How, HttpCall, Payload, Reply, Respond, SharedCall, SignCall, SleepCall,
    TxtCall,
};
pub use cx::Cx;
pub use driver::address::is_public;
#[cfg(feature = "dns")]
#[doc(hidden)]
pub use driver::dns;
pub use driver::framing::declare_length;
pub use endpoint::{Draft, Endpoint, Fetch, Fresh, Signed, ToSign};
pub use env::{Entropy, Env, KeyError, Keys, Memory, Signer, Topic};
pub use error::{Phase, Rule, TransportError};
pub use flow::{Flow, Output};
pub use join::{Held, Join};
pub use machine::{Budget, Machine};
pub use mailbox::Ticket;
pub use reach::{Reach, is_development_host};
pub use secret::{SecretKey, SecretString};
pub use store::{Deleted, Expect, Record, Saved, SecretBytes, StoreCall, Version};
#[cfg(feature = "std")]
pub use system::{MapMemory, System, SystemEntropy, drive};
pub use text::{printable, retry_after, visible};
pub use time::UnixTime;
