//! Injected faults, and the outcomes of requests that result from them.

pub(crate) mod action;
pub(crate) mod delivery;
pub(crate) mod fault;
