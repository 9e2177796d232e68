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
mod normal;
mod reach;
mod secret;
mod silence;
mod step;
#[cfg(feature = "std")]
mod system;
mod text;
mod time;

pub use call::notice::{Notice, NotifyCall};
pub use call::shared::{SharedCall, SharedKey, SharedMachine, SharedResult, SharedTicket};
pub use call::store::{
    Deleted, Expect, Listed, Listing, Record, Saved, SecretBytes, StoreCall, StoreError,
    StoreErrorKind, StoreOperation, Version,
};
pub use call::{
    Answer, Asked, Body, Call, How, HttpCall, Payload, Reply, Respond, SignCall, SleepCall, TxtCall,
};
pub use cx::Cx;
pub use driver::address::is_public;
pub use driver::address_cache::AddressCache;
#[cfg(feature = "dns")]
#[doc(hidden)]
pub use driver::dns;
pub use driver::framing::declare_length;
pub use driver::waits::Waits;
pub use endpoint::{Draft, Endpoint, Fetch, Fresh, Signed, ToSign};
pub use env::{Entropy, Env, KeyError, Keys, Memo, Memory, Signer, Topic};
pub use error::{Phase, Rule, TransportError};
pub use flow::{Flow, Output};
pub use join::{Held, Join};
pub use machine::{Budget, Machine};
pub use mailbox::{Interest, Ticket};
pub use normal::is_normal;
pub use reach::{Reach, is_development_host};
pub use secret::{SecretKey, SecretString};
pub use step::{Step, Steps};
#[cfg(feature = "std")]
pub use system::memory::MapMemory;
#[cfg(feature = "std")]
pub use system::{System, SystemEntropy, drive};
pub use text::{
    is_printable, is_transient, json_text, json_text_within, printable, retry_after, visible,
};
pub use time::{Moment, UnixTime};
