//! From the account's server to the authorization server that issues tokens for it.

pub(crate) mod discover;
pub(crate) mod fetch;
pub(crate) mod metadata;
pub(crate) mod resource;
pub(crate) mod server;
pub(crate) mod verify;
