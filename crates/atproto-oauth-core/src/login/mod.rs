//! Login: from an account to the URL for the browser, and from the callback to the session.

pub(crate) mod authorize;
pub(crate) mod callback;
pub(crate) mod exchange_code;
pub(crate) mod pending;
pub(crate) mod pkce;
pub(crate) mod prompt;
pub(crate) mod send_code;
pub(crate) mod subject;
