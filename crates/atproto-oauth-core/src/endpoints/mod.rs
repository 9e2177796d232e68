//! Endpoints of an authorization server that take a form: one file for each, the parts that they
//! share in `form.rs`, and their error response in `refusal.rs`.

pub(crate) mod form;
pub(crate) mod par;
pub(crate) mod refusal;
pub(crate) mod revocation;
pub(crate) mod token;
