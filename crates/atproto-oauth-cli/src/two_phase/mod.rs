//! A login in two processes, and requests with the credentials that it prints: for programs that
//! keep a login in environment variables or a secret manager.

pub(crate) mod complete;
pub(crate) mod credentials;
pub(crate) mod dotenv;
pub(crate) mod init;
pub(crate) mod source;
pub(crate) mod templates;
pub(crate) mod values;
