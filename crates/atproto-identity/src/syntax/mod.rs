//! Parsers of handles, DIDs and hostnames.

pub(crate) mod clean;
pub(crate) mod did;
pub(crate) mod did_method;
pub(crate) mod handle;
pub(crate) mod hostname;
pub(crate) mod identifier;
pub(crate) mod pasted;
