#![doc = include_str!("../README.md")]

mod accounts;
mod answer;
mod entropy;
mod faults;
mod form;
mod hosts;
mod incoming;
mod jwt;
mod log;
mod names;
mod network;
mod origin;
mod people;
mod replay;
mod run;
mod sandbox;
#[cfg(feature = "serve")]
#[expect(clippy::disallowed_types, reason = "serving needs sockets, threads and a lock")]
mod serve;
mod server;

pub use accounts::account::AccountInfo;
pub use accounts::handles::{Dns, HandleAnswers};
pub use faults::delivery::{Delivery, Outcome};
pub use faults::fault::Fault;
pub use log::{By, Decoded, Exchange, Seen};
pub use names::Names;
pub use network::ResolvedBy;
pub use people::{Browser, Consent, NoRedirect};
pub use run::process::Process;
pub use sandbox::Sandbox;
#[cfg(feature = "serve")]
pub use serve::{Served, ServedBuilder};
pub use server::ServerId;
pub use server::habits::{ErrorForm, Habits, NonceOnSuccess, ReasonMember};
