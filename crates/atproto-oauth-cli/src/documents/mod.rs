//! Verbs for what a client publishes and asks for. They use no session.

pub(crate) mod scope;
mod files;
pub(crate) mod keygen;
