//! Machines that go over many records of a store, for an operator or a keeper.

pub(crate) mod count_keys;
pub(crate) mod list;
pub(crate) mod restored;
pub(crate) mod sweep;
