//! The lint of client metadata.

pub(crate) mod code;
pub(crate) mod names;
