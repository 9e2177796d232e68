//! Accounts: their handles, DID documents, records and blobs, and published documents.

pub(crate) mod account;
pub(crate) mod cid;
pub(crate) mod documents;
pub(crate) mod handles;
pub(crate) mod repository;
