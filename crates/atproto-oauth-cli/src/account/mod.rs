//! Verbs that use the sessions of accounts.

pub(crate) mod accounts;
pub(crate) mod arrival;
pub(crate) mod call;
pub(crate) mod earlier;
pub(crate) mod listener;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod page;
pub(crate) mod paste;
pub(crate) mod sessions;
pub(crate) mod store;
pub(crate) mod upload;
pub(crate) mod whoami;
