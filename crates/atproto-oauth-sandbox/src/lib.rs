#![doc = include_str!("../README.md")]

mod account;
mod answer;
mod cid;
mod documents;
mod entropy;
mod faults;
mod flows;
mod form;
mod handles;
mod hosts;
mod incoming;
mod jwt;
mod log;
mod names;
mod network;
mod origin;
mod people;
mod process;
mod replay;
mod repository;
mod run;
mod sandbox;
#[cfg(feature = "serve")]
#[expect(clippy::disallowed_types, reason = "sockets, threads and a lock are what it is for")]
mod serve;
mod server;

pub use account::AccountInfo;
pub use faults::delivery::{Delivery, Outcome};
pub use faults::fault::Fault;
pub use handles::{Dns, HandleAnswers};
pub use log::{By, Decoded, Exchange, Seen};
pub use names::Names;
pub use network::ResolvedBy;
pub use people::{Browser, Consent, Stuck};
pub use process::Process;
pub use sandbox::Sandbox;
#[cfg(feature = "serve")]
pub use serve::{Served, ServedBuilder};
pub use server::ServerId;
