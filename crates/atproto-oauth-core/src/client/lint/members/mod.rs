//! The members of a metadata document, by subject.

pub(super) mod auth;
pub(super) mod grants;
pub(super) mod others;
pub(super) mod pages;
pub(super) mod scopes;
