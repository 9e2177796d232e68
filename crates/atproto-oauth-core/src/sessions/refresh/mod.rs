//! The refresh of a stored session: one run for all who ask, and one lease among all processes.

pub(crate) mod decision;
pub(crate) mod lease;
pub(crate) mod run;
pub(crate) mod save_tokens;
pub(crate) mod unsaved;
pub(crate) mod verdict;
pub(crate) mod wanted;
