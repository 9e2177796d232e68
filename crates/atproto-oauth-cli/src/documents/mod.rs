//! Verbs for what a client publishes and asks for. They use no session.

pub(crate) mod check_metadata;
mod configuration;
mod files;
mod found;
pub(crate) mod generate_metadata;
pub(crate) mod keygen;
pub(crate) mod resolve;
pub(crate) mod scope;
