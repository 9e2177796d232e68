#![doc = include_str!("../README.md")]

mod account;
mod answer;
mod cid;
mod delivery;
mod documents;
mod entropy;
mod fault;
mod form;
mod handles;
mod hosts;
mod incoming;
mod jwt;
mod log;
mod names;
mod network;
mod people;
mod process;
mod replay;
mod repository;
mod run;
mod sandbox;
mod server;

pub use delivery::{Delivery, Outcome};
pub use fault::Fault;
pub use handles::{Dns, HandleAnswers};
pub use log::{By, Decoded, Exchange, Seen};
pub use names::Names;
pub use network::ResolvedBy;
pub use people::{Browser, Consent, Stuck};
pub use process::Process;
pub use sandbox::Sandbox;
pub use server::ServerId;
