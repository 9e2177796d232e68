#![doc = include_str!("../README.md")]

mod account;
mod action;
mod answer;
mod cid;
mod delivery;
mod documents;
mod entropy;
mod fault;
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
pub use delivery::{Delivery, Outcome};
pub use fault::Fault;
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
