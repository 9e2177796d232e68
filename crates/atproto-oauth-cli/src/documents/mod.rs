//! Verbs for what a client publishes and asks for. They use no session.

pub(crate) mod scope;
mod configuration;
mod files;
pub(crate) mod generate_metadata;
pub(crate) mod keygen;
