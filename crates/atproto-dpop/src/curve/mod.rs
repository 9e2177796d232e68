//! The curves of keys, and the signatures of each.

pub(crate) mod es256;
