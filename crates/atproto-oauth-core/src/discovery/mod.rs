//! Finds the authorization server of a PDS, and checks the metadata documents of both.

pub(crate) mod discover;
pub(crate) mod fetch;
pub(crate) mod issuer;
pub(crate) mod metadata;
pub(crate) mod resource;
pub(crate) mod server;
pub(crate) mod verify;
