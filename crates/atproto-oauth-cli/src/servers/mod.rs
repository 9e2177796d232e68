//! Verbs that look at a server: whether it follows the profile, and what stands in the way of a login.

pub(crate) mod check_server;
pub(crate) mod doctor;
mod probe;
mod verdict;
