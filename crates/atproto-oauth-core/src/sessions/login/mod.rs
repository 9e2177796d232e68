//! The two halves of a login whose record is in the store.

pub(crate) mod begin;
pub(crate) mod binding;
pub(crate) mod finish;
pub(crate) mod record;
