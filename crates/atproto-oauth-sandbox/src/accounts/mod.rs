//! Accounts: their handles, documents and records.

pub(crate) mod account;
pub(crate) mod cid;
pub(crate) mod documents;
pub(crate) mod handles;
pub(crate) mod repository;
