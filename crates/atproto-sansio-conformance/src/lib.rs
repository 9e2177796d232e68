#![doc = include_str!("../README.md")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a scenario fails by a panic"
)]

mod adapter;
pub mod addresses;
pub mod connections;
pub mod early;
pub mod exchange;
pub mod failures;
pub mod limits;
#[cfg(feature = "dns")]
pub mod lookups;
mod machines;
#[cfg(feature = "dns")]
pub mod nameserver;
pub mod queue;
pub mod reach;
mod requests;
mod scenario;
mod server;
pub mod settings;
pub mod shared;
pub mod signing;
#[cfg(feature = "tls")]
pub mod tls;

pub use adapter::{Adapter, Outcome, send, send_changed, send_reaching};
pub use addresses::HostLookups;
pub use machines::{Detaches, NewKey, NoKeys, Once, Twice, Txt};
pub use requests::{OK, get, how, post};
pub use scenario::{Scenario, all, scenarios};
pub use server::{Peer, Received, Server, Stream, closed_port};
pub use settings::Settings;
pub use shared::{Asks, Driving, Work};
