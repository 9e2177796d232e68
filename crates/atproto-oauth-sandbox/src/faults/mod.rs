//! What goes wrong on purpose, and what then arrives.

pub(crate) mod action;
pub(crate) mod delivery;
pub(crate) mod fault;
