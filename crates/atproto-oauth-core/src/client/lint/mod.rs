//! The lint of client metadata: everything that is wrong with the documents of any client, each
//! finding with a stable code.
//!
//! The rules of a value are in the modules of the value, where the builder uses them, too:
//! `client/id.rs`, `client/redirect_rules.rs`, `client/description.rs`, `client/loopback.rs`.
//!
//! atproto OAuth, «Clients»; RFC 7591 section 2.

pub(crate) mod check_client;
pub(crate) mod code;
mod document;
mod fetch;
pub(crate) mod finding;
pub(crate) mod jwks;
pub(crate) mod loopback;
mod members;
pub(crate) mod metadata;
pub(crate) mod names;
mod published;

#[cfg(test)]
mod tests;
