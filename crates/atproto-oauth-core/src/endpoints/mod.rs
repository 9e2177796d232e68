//! Requests to an authorization server, one a file.

pub(crate) mod form;
pub(crate) mod par;
pub(crate) mod refusal;
pub(crate) mod revocation;
pub(crate) mod token;
